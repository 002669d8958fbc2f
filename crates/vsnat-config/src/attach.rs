//! `attach` of `[director]`: one way for all interfaces, or one for each.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;
use vsnat_api::Attach;

use crate::mistake::Notes;
use crate::section::{Section, kind};

const KEY: &str = "attach";

/// The way of every interface; those that are not named have the default.
pub(crate) fn read(
    director: &Section,
    interfaces: &[&String],
    notes: &mut Notes,
) -> BTreeMap<String, Attach> {
    let mut ways: BTreeMap<String, Attach> = interfaces
        .iter()
        .map(|name| ((*name).clone(), Attach::default()))
        .collect();
    let Some(value) = director.value(KEY) else {
        return ways;
    };
    match value.get_ref() {
        DeValue::String(_) => {
            if let Some(attach) = way(value, notes) {
                ways.values_mut().for_each(|way| *way = attach);
            }
        }
        DeValue::Table(table) => {
            for (name, value) in table.iter() {
                let Some(place) = ways.get_mut(name.get_ref().as_ref()) else {
                    let name = name.get_ref();
                    let message =
                        format!("{name} is neither outer nor inner, so attach cannot name it");
                    notes.add(value.span(), message);
                    continue;
                };
                if let Some(attach) = way(value, notes) {
                    *place = attach;
                }
            }
        }
        other => {
            let found = kind(other);
            let message = format!(
                "attach must be a text such as \"auto\", or a table of interfaces, not {found}"
            );
            notes.add(value.span(), message);
        }
    }
    ways
}

fn way(value: &Spanned<DeValue>, notes: &mut Notes) -> Option<Attach> {
    let DeValue::String(text) = value.get_ref() else {
        let found = kind(value.get_ref());
        let message = format!("attach must be a text such as \"auto\", not {found}");
        notes.add(value.span(), message);
        return None;
    };
    match text.parse() {
        Ok(attach) => Some(attach),
        Err(error) => {
            notes.add(value.span(), format!("{error}"));
            None
        }
    }
}
