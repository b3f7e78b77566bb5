//! The laws of predicates: boolean algebra, and agreement of holding, explaining, writing and reading.

use proptest::prelude::*;

use super::*;

const SYMBOLS: [&str; 4] = ["A", "B", "C", "D"];

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Yes),
        Just(Value::Module),
        Just(Value::No),
        (0..3_i64).prop_map(Value::from),
        Just(Value::Number("0x1F".into())),
        "[a-c \\\\\"]{0,4}|[ymnYN]|yes|-?[0-9]{1,3}|0x[0-9a-g]".prop_map(Value::Text),
    ]
}

fn version() -> impl Strategy<Value = Version> {
    proptest::sample::select(&["0", "5.15", "6.1", "6.1.9", "6.10"][..])
        .prop_map(|text| text.parse().unwrap())
}

fn leaf() -> impl Strategy<Value = Predicate> {
    let symbol = || proptest::sample::select(&SYMBOLS[..]).prop_map(str::to_owned);
    prop_oneof![
        symbol().prop_map(Predicate::BuiltIn),
        symbol().prop_map(Predicate::Module),
        symbol().prop_map(Predicate::Enabled),
        (symbol(), value()).prop_map(|(symbol, value)| Predicate::Is(symbol, value)),
        version().prop_map(Predicate::Since),
    ]
}

/// Any predicate at all, in shapes too that the operators never make.
fn predicate() -> impl Strategy<Value = Predicate> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let parts = || proptest::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            inner
                .clone()
                .prop_map(|part| Predicate::Not(Box::new(part))),
            parts().prop_map(Predicate::All),
            parts().prop_map(Predicate::Any),
        ]
    })
}

/// Predicates as definitions make them, by operators.
fn written() -> impl Strategy<Value = Predicate> {
    leaf().prop_recursive(5, 24, 2, |inner| {
        let two = || (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|part| !part),
            two().prop_map(|(left, right)| left & right),
            two().prop_map(|(left, right)| left | right),
        ]
    })
}

fn config() -> impl Strategy<Value = Config> {
    let symbol = proptest::sample::select(&SYMBOLS[..]);
    let values = proptest::collection::btree_map(symbol, value(), 0..5);
    (values, proptest::option::of(version())).prop_map(|(values, version)| {
        let header = version.map(|it| format!("# Linux/arm {it} Kernel Configuration\n"));
        let lines = super::super::fragment(values.iter().map(|(symbol, value)| (*symbol, value)));
        Config::parse(&format!("{}{lines}", header.unwrap_or_default())).unwrap()
    })
}

/// A reader of what `Display` writes, with the precedence of the definition language.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn read(text: &str) -> Predicate {
        let mut reader = Reader(text);
        let predicate = reader.any();
        assert_eq!(reader.0, "", "left over of {text}");
        predicate
    }

    fn eat(&mut self, token: &str) -> bool {
        self.0
            .strip_prefix(token)
            .inspect(|rest| self.0 = rest)
            .is_some()
    }

    fn any(&mut self) -> Predicate {
        let mut left = self.all();
        while self.eat(" | ") {
            left = left | self.all();
        }
        left
    }

    fn all(&mut self) -> Predicate {
        let mut left = self.one();
        while self.eat(" & ") {
            left = left & self.one();
        }
        left
    }

    fn one(&mut self) -> Predicate {
        if self.eat("!") {
            return !self.one();
        }
        if self.eat("all_of([])") {
            return Predicate::All(vec![]);
        }
        if self.eat("any_of([])") {
            return Predicate::Any(vec![]);
        }
        if self.eat("(") {
            let inner = self.any();
            assert!(self.eat(")"), "no closing bracket at {}", self.0);
            return inner;
        }
        if self.eat("since(") {
            let version = self.string().parse().unwrap();
            assert!(self.eat(")"));
            return Predicate::Since(version);
        }
        assert!(self.eat("cfg("), "no predicate at {}", self.0);
        let symbol = self.string();
        assert!(self.eat(")"));
        if self.eat(".module()") {
            Predicate::Module(symbol)
        } else if self.eat(".enabled()") {
            Predicate::Enabled(symbol)
        } else if self.eat(".is(") {
            let value = self.value();
            assert!(self.eat(")"));
            Predicate::Is(symbol, value)
        } else {
            Predicate::BuiltIn(symbol)
        }
    }

    fn value(&mut self) -> Value {
        for (call, make) in [
            ("hex(", Value::Number as fn(_) -> _),
            ("text(", Value::Text),
        ] {
            if self.eat(call) {
                let value = make(self.string());
                assert!(self.eat(")"));
                return value;
            }
        }
        if self.0.starts_with('"') {
            return match &*self.string() {
                "y" => Value::Yes,
                "m" => Value::Module,
                "n" => Value::No,
                text => Value::Text(text.to_owned()),
            };
        }
        let end = self.0.find(')').unwrap();
        let number: i64 = self.0[..end].parse().unwrap();
        self.0 = &self.0[end..];
        Value::from(number)
    }

    fn string(&mut self) -> String {
        assert!(self.eat("\""));
        let mut text = String::new();
        let mut characters = self.0.chars();
        loop {
            match characters.next().unwrap() {
                '"' => break,
                '\\' => text.push(characters.next().unwrap()),
                character => text.push(character),
            }
        }
        self.0 = characters.as_str();
        text
    }
}

fn cfg(symbol: &str) -> Predicate {
    Predicate::built_in(symbol)
}

#[test]
fn brackets_stand_only_where_they_are_needed() {
    let is = |symbol: &str, value: Value| Predicate::Is(symbol.to_owned(), value);
    let predicates = [
        cfg("A") & (cfg("B") | !is("C", Value::Text("x \"y\"".into()))),
        (cfg("A") & cfg("B")) | cfg("C") | Predicate::Module("D".into()),
        !(cfg("A") & Predicate::Enabled("B".into())) & !cfg("C"),
        is("NR_CPUS", Value::from(64)) & is("BASE", Value::Number("0x1000".into())),
        is("A", Value::Yes) & is("B", Value::Text("64".into())) & is("C", Value::Text("n".into())),
        Predicate::All(vec![Predicate::Any(vec![cfg("A")]), Predicate::Any(vec![])]),
    ];
    let lines: Vec<String> = predicates.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    cfg("A") & (cfg("B") | !cfg("C").is("x \"y\""))
    cfg("A") & cfg("B") | cfg("C") | cfg("D").module()
    !(cfg("A") & cfg("B").enabled()) & !cfg("C")
    cfg("NR_CPUS").is(64) & cfg("BASE").is(hex("0x1000"))
    cfg("A").is("y") & cfg("B").is(text("64")) & cfg("C").is(text("n"))
    cfg("A") & any_of([])
    "#);
}

#[test]
fn absent_is_not_set() {
    let config = Config::parse("# CONFIG_A is not set\n").unwrap();
    for symbol in ["A", "B"] {
        assert!(Predicate::Is(symbol.to_owned(), Value::No).holds(&config));
        assert!(!Predicate::Enabled(symbol.to_owned()).holds(&config));
    }
}

#[test]
fn symbols_and_size_count_each_once_and_all() {
    let predicate = cfg("B") & (cfg("A") | !cfg("B"));
    assert_eq!(
        predicate.symbols().into_iter().collect::<Vec<_>>(),
        ["A", "B"]
    );
    assert_eq!(predicate.size(), 6);
}

/// The predicate's value if it follows from the version alone.
fn decided(predicate: &Predicate, version: &Version) -> Option<bool> {
    match predicate {
        Predicate::Since(since) => Some(version >= since),
        Predicate::Not(inner) => decided(inner, version).map(|holds| !holds),
        Predicate::All(parts) | Predicate::Any(parts) => {
            let ending = matches!(predicate, Predicate::Any(_));
            let parts: Vec<_> = parts.iter().map(|part| decided(part, version)).collect();
            if parts.contains(&Some(ending)) {
                return Some(ending);
            }
            parts.iter().all(Option::is_some).then_some(!ending)
        }
        _ => None,
    }
}

proptest! {
    #[test]
    fn what_satisfies_a_predicate_meets_it(p in predicate(), version in version()) {
        let Ok(parts) = super::super::satisfy(&p) else { return Ok(()) };
        let parts = parts.iter().filter(|part| part.versions.contains(Some(&version)));
        let symbols = parts.flat_map(|part| part.symbols.iter().map(|(s, v)| (s.as_str(), v)));
        let header = format!("# Linux/arm {version} Kernel Configuration\n");
        let lines = super::super::fragment(symbols);
        let config = Config::parse(&format!("{header}{lines}")).unwrap();
        // What a version rules out no symbol can mend.
        let held = p.holds(&config);
        prop_assert!(held || decided(&p, &version) == Some(false), "{config:?}");
    }

    #[test]
    fn the_algebra_holds(
        p in predicate(), q in predicate(), r in predicate(), config in config(),
    ) {
        let holds = |predicate: Predicate| predicate.holds(&config);
        let (p_, q_, r_) = (|| p.clone(), || q.clone(), || r.clone());
        prop_assert_eq!(holds(!(p_() & q_())), holds(!p_() | !q_()));
        prop_assert_eq!(holds(!(p_() | q_())), holds(!p_() & !q_()));
        prop_assert_eq!(holds(!!p_()), holds(p_()));
        prop_assert_eq!(holds(p_() & (q_() | r_())), holds((p_() & q_()) | (p_() & r_())));
        prop_assert_eq!(holds(p_() | (q_() & r_())), holds((p_() | q_()) & (p_() | r_())));
        prop_assert_eq!(holds(p_() & q_()), holds(p_()) && holds(q_()));
        prop_assert!(!holds(p_() & !p_()));
    }

    #[test]
    fn explaining_agrees_with_holding(p in predicate(), config in config()) {
        match p.explain(&config) {
            Ok(()) => prop_assert!(p.holds(&config)),
            Err(reasons) => prop_assert!(!p.holds(&config) && !reasons.is_empty()),
        }
    }

    #[test]
    fn what_is_displayed_means_the_same(p in predicate(), config in config()) {
        prop_assert_eq!(Reader::read(&p.to_string()).holds(&config), p.holds(&config));
    }

    #[test]
    fn what_definitions_make_is_displayed_and_read_back(p in written()) {
        let text = p.to_string();
        let read = Reader::read(&text);
        prop_assert_eq!(&read, &p);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn serde_gives_it_back(p in predicate()) {
        let json = serde_json::to_string(&p).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Predicate>(&json).unwrap(), &p);
        let bytes = postcard::to_stdvec(&p).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<Predicate>(&bytes).unwrap(), &p);
    }
}
