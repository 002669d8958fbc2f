//! A table of the file, read key by key, with every wrong type noted.

use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::mistake::Notes;
use crate::suggest::nearest;

/// A table and how messages call it.
pub(crate) struct Section<'a, 'i> {
    pub title: &'static str,
    table: &'a DeTable<'i>,
    span: Range<usize>,
}

impl<'a, 'i> Section<'a, 'i> {
    pub fn new(title: &'static str, table: &'a DeTable<'i>, span: Range<usize>) -> Self {
        Section { title, table, span }
    }

    /// The table under `key`, when there is one.
    pub fn of(root: &Section<'a, 'i>, title: &'static str, notes: &mut Notes) -> Option<Self> {
        let key = title.trim_matches(['[', ']']);
        let value = root.value(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            let found = kind(value.get_ref());
            notes.add(
                value.span(),
                format!("{key} is {found}; begin a table with {title}"),
            );
            return None;
        };
        Some(Section::new(title, table, value.span()))
    }

    /// The tables under `[[key]]`.
    pub fn all_of(
        root: &Section<'a, 'i>,
        title: &'static str,
        key: &str,
        notes: &mut Notes,
    ) -> Vec<Self> {
        let Some(value) = root.value(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!("{key} must be written {title}, with two brackets");
            notes.add(value.span(), message);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => sections.push(Section::new(title, table, item.span())),
                other => notes.add(
                    item.span(),
                    format!("{} where a table {title} belongs", kind(other)),
                ),
            }
        }
        sections
    }

    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        let found = self.table.iter().find(|(k, _)| k.get_ref() == key);
        found.map(|(_, value)| value)
    }

    /// Notes every key that has no meaning here.
    pub fn check_keys(&self, known: &[&str], notes: &mut Notes) {
        for (key, _) in self.table.iter() {
            let word: &str = key.get_ref();
            if known.contains(&word) {
                continue;
            }
            let hint = match nearest(word, known) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known are {}", known.join(", ")),
            };
            let message = format!("unknown key {word} in {}; {hint}", self.title);
            notes.add(key.span(), message);
        }
    }

    pub fn missing(&self, key: &str, example: &str, notes: &mut Notes) {
        let message = format!("{} has no {key}; add {key} = {example}", self.title);
        notes.add_missing(self.span(), message);
    }

    pub fn text(&self, key: &str, notes: &mut Notes) -> Option<Spanned<&'a str>> {
        let value = self.value(key)?;
        text_of(key, value, notes)
    }

    pub fn integer(&self, key: &str, notes: &mut Notes) -> Option<Spanned<i64>> {
        let value = self.value(key)?;
        let DeValue::Integer(integer) = value.get_ref() else {
            let found = kind(value.get_ref());
            notes.add(
                value.span(),
                format!("{key} must be a whole number without quotes, not {found}"),
            );
            return None;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Some(Spanned::new(value.span(), number)),
            Err(_) => {
                notes.add(value.span(), format!("{key} is far too large"));
                None
            }
        }
    }

    /// A number within a range.
    pub fn number(&self, key: &str, range: RangeInclusive<u32>, notes: &mut Notes) -> Option<u32> {
        let number = self.integer(key, notes)?;
        let within = u32::try_from(*number.get_ref()).ok();
        let within = within.filter(|number| range.contains(number));
        if within.is_none() {
            let (low, high) = (range.start(), range.end());
            notes.add(number.span(), format!("{key} must be from {low} to {high}"));
        }
        within
    }

    /// A list of texts; a single text is not silently taken for a list.
    pub fn texts(&self, key: &str, notes: &mut Notes) -> Option<Vec<Spanned<&'a str>>> {
        let value = self.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            let found = kind(value.get_ref());
            notes.add(
                value.span(),
                format!("{key} must be a list like [\"…\", \"…\"], not {found}"),
            );
            return None;
        };
        let texts = items.iter().filter_map(|item| text_of(key, item, notes));
        Some(texts.collect())
    }
}

/// What a value is, for people.
pub(crate) fn kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn text_of<'a>(
    key: &str,
    value: &'a Spanned<DeValue>,
    notes: &mut Notes,
) -> Option<Spanned<&'a str>> {
    let DeValue::String(text) = value.get_ref() else {
        let found = kind(value.get_ref());
        notes.add(
            value.span(),
            format!("{key} must be a text in quotes, not {found}"),
        );
        return None;
    };
    Some(Spanned::new(value.span(), text.as_ref()))
}
