//! One host function: what it takes, and what it may do when it is called.

use rhai::Dynamic;

use crate::eval::handle::Handle;
use crate::eval::handle::Kind;
use crate::eval::mistake::Mistake;
use crate::eval::mistake::Site;
use crate::eval::mistake::ValuePath;
use crate::eval::schema::Checked;
use crate::eval::schema::FromChecked;
use crate::eval::schema::Shape;
use crate::eval::state::State;

/// A host function.
pub(in crate::eval) struct Function {
    /// Its name.
    pub name: &'static str,
    /// Whether it is written `value.name(…)`; the value is the first parameter.
    pub method: bool,
    /// Its parameters. A last one that is a record without needed fields may be left out.
    pub params: &'static [Param],
    /// What it gives, for the reference.
    pub gives: &'static str,
    /// What it is for, for the reference.
    pub doc: &'static str,
    /// What it does.
    pub run: fn(&mut Call<'_>, Arguments) -> Result<Dynamic, Mistake>,
}

/// A parameter of a host function.
pub(in crate::eval) struct Param {
    /// Its name, for the reference and messages.
    pub name: &'static str,
    /// What it must be.
    pub shape: Shape,
}

/// A chapter of the reference.
pub(in crate::eval) struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// Its functions.
    pub functions: &'static [Function],
}

/// One call of a host function.
pub(in crate::eval) struct Call<'a> {
    /// What the evaluation has gathered.
    pub state: &'a mut State,
    /// Where the call is.
    pub site: Site,
}

/// The checked arguments of a call.
pub(in crate::eval) struct Arguments(pub(super) std::vec::IntoIter<Checked>);

impl Arguments {
    /// The next argument. The table has checked that it is there and of its shape, except for the
    /// record that may be left out, whose empty value is right.
    pub fn next<T: FromChecked + Default>(&mut self) -> T {
        self.0.next().and_then(T::from_checked).unwrap_or_default()
    }

    /// The next argument, of a type without an empty value.
    pub fn required<T: FromChecked>(&mut self) -> Result<T, Mistake> {
        let missing = || Mistake::at(&[], "an argument is missing");
        self.0.next().and_then(T::from_checked).ok_or_else(missing)
    }
}

impl Call<'_> {
    /// Claims a name for the argument or element at `path`.
    pub fn declare(&mut self, kind: Kind, name: &str, path: &[&str]) -> Result<Dynamic, Mistake> {
        let path: ValuePath = path.iter().map(|step| (*step).to_owned()).collect();
        let key = (kind, name.to_owned());
        if let Some((earlier, earlier_path)) = self.state.declared.get(&key) {
            let mut mistake = Mistake::at(
                &path,
                format!("the {} `{name}` is declared twice", kind.word()),
            );
            if *earlier == self.site {
                mistake = mistake.help("a loop or a function declares it more than once: make the name depend on what changes");
            } else {
                let text = "declared here first".to_owned();
                mistake.earlier = Some(Box::new((earlier.clone(), earlier_path.clone(), text)));
            }
            return Err(mistake);
        }
        self.state.declared.insert(key, (self.site.clone(), path));
        Ok(Dynamic::from(Handle {
            kind,
            name: name.into(),
        }))
    }
}
