//! Words with stars: `web-*`.

use std::fmt;

/// A text in which each `*` stands for any characters. Case does not count: host
/// names know none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub fn new(text: &str) -> Self {
        Pattern(text.to_ascii_lowercase())
    }

    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
            return false;
        };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        true
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let matches = |pattern, text| Pattern::new(pattern).matches(text);
        assert!(matches("web-*", "WEB-1") && matches("*", "") && matches("a*b*c", "a--b-bc"));
        assert!(matches("web", "web") && matches("*1", "web-1") && matches("w*", "w"));
        assert!(!matches("web-*", "db-1") && !matches("web", "web-1") && !matches("a*b", "ab-"));
        assert!(!matches("ab*ba", "aba"), "no character counts twice");
    }
}
