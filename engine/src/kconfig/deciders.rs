//! What decides a symbol's value though a .config says otherwise: so that it stays, these must stay too.

use std::collections::BTreeSet;

use super::tree::Definition;
use super::tree::Tree;

impl Tree {
    /// Some symbols with all that can change them by itself: what selects them, what must hold for a person to be asked, the others of their
    /// choice, and where nobody is asked, what their defaults and dependencies speak of.
    pub fn deciders<'s>(&'s self, symbols: impl IntoIterator<Item = &'s str>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut next: Vec<String> = symbols.into_iter().map(str::to_owned).collect();
        while let Some(symbol) = next.pop() {
            let selects = self.selects.get(&symbol).into_iter().flatten();
            next.extend(selects.map(|select| select.by.clone()));
            for definition in self.definitions.get(&symbol).into_iter().flatten() {
                next.extend(self.of_definition(definition));
            }
            found.insert(symbol);
            next.retain(|symbol| !found.contains(symbol));
        }
        found
    }

    fn of_definition<'t>(&'t self, definition: &'t Definition) -> impl Iterator<Item = String> {
        let choice = definition
            .choice
            .and_then(|choice| self.choices.get(choice));
        let conditions = definition.prompt.as_ref().unwrap_or(&definition.depends);
        let mut texts: Vec<String> = conditions.iter().map(ToString::to_string).collect();
        if definition.prompt.is_none() {
            texts.push(definition.defaults.clone());
        }
        let mut symbols: Vec<String> = choice.into_iter().flatten().cloned().collect();
        for text in texts {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            // Symbols are upper case, `y` and functions are not.
            let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()));
            symbols.extend(words.map(str::to_owned));
        }
        symbols.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::tree;

    #[test]
    fn what_selects_what_asks_and_what_others_follow() {
        let tree = tree();
        let told = |symbol| {
            let found: Vec<String> = tree.deciders([symbol]).into_iter().collect();
            found.join(" ")
        };
        let all = [
            "DEBUG_KERNEL",
            "ATA",
            "HZ_100",
            "HIDDEN",
            "PCI",
            "SCSI",
            "HZ",
            "NONE",
        ];
        insta::assert_snapshot!(all.map(told).join("\n"), @r"
        DEBUG_KERNEL EXPERT
        ATA EXPERT
        HZ_100 HZ_250
        EXPERT HIDDEN
        PCI
        ATA_PIIX SCSI
        HZ HZ_100 HZ_250
        NONE
        ");
    }
}
