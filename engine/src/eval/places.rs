//! Where things were declared, for what turns out to be wrong only later.

use std::collections::BTreeMap;

use super::explain::Scripts;
use super::handle::Kind;
use super::mistake::Site;
use super::mistake::ValuePath;
use crate::text::Diagnostic;
use crate::text::Label;

/// The places of an evaluation's declarations.
#[derive(Clone, Debug)]
pub struct Places {
    declared: BTreeMap<(Kind, String), (Site, ValuePath)>,
    scripts: Scripts,
}

impl Places {
    pub(super) fn new(
        declared: BTreeMap<(Kind, String), (Site, ValuePath)>,
        scripts: Scripts,
    ) -> Self {
        Self { declared, scripts }
    }

    /// A mistake in the declaration of `source/NAME`, `base/NAME` or `image/NAME`: at the text `value` in it if it is written there,
    /// else at the declaration.
    pub fn diagnostic(&self, name: &str, value: &str, message: String, help: String) -> Diagnostic {
        Diagnostic {
            message,
            labels: self.label(name, value).into_iter().collect(),
            help: Some(help),
            trace: Vec::new(),
        }
    }

    fn label(&self, name: &str, value: &str) -> Option<Label> {
        let (kind, name) = name.split_once('/')?;
        let kind = match kind {
            "source" => Kind::Source,
            "base" => Kind::Base,
            "image" => Kind::Image,
            _ => return None,
        };
        // What a defconfig's packages made of an image has the image's name in front.
        let name = name.split('+').next().unwrap_or(name);
        let (site, _) = self.declared.get(&(kind, name.to_owned()))?;
        // What the standard library declares is its caller's to mend, and that place is not known here.
        let own = !site.source.starts_with("std/");
        let index = self.scripts.get(&site.source).filter(|_| own)?;
        let place = index.text_in_call(site.position, value);
        Some(Label {
            source: index.text.clone(),
            span: index.span(place.unwrap_or(site.position)),
            text: String::new(),
        })
    }
}
