//! Reading a report in ab's layout, whoever wrote it.

use std::collections::BTreeMap;

/// A report as scripts read it.
#[derive(Debug)]
pub struct Fields {
    /// What stands behind the first colon, by what stands before it. Of a name
    /// that occurs twice, both.
    named: BTreeMap<String, Vec<String>>,
    /// Milliseconds by share, such as "50%".
    pub shares: BTreeMap<String, f64>,
    /// Minimum, mean, deviation, median and maximum by what took so long.
    pub times: BTreeMap<String, Vec<f64>>,
}

impl Fields {
    pub fn of(text: &str) -> Fields {
        let mut fields = Fields {
            named: BTreeMap::new(),
            shares: BTreeMap::new(),
            times: BTreeMap::new(),
        };
        let times = after(text, "Connection Times (ms)");
        for line in times.lines().skip(1).take(4) {
            let (name, values) = line.split_once(':').expect(line);
            fields.times.insert(name.to_owned(), numbers(values));
        }
        let title = "Percentage of the requests served within a certain time (ms)";
        for line in after(text, title)
            .lines()
            .take_while(|line| !line.is_empty())
        {
            let mut words = line.split_whitespace();
            let (share, ms) = (words.next().unwrap(), words.next().unwrap());
            fields.shares.insert(share.to_owned(), ms.parse().unwrap());
        }
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let values = fields.named.entry(name.to_owned()).or_default();
            values.push(value.trim().to_owned());
        }
        fields
    }

    pub fn text(&self, name: &str) -> &str {
        let values = self.named.get(name);
        let values = values.unwrap_or_else(|| panic!("no {name} in {self:#?}"));
        &values[0]
    }

    /// The first number of a field.
    pub fn number(&self, name: &str) -> f64 {
        let value = self.text(name).split_whitespace().next();
        value.and_then(|value| value.parse().ok()).expect(name)
    }

    /// The unit or remark behind the number, of every line of that name.
    pub fn remarks(&self, name: &str) -> Vec<String> {
        let behind = |value: &String| value.split_once(' ').map(|(_, behind)| behind.to_owned());
        self.named[name].iter().filter_map(behind).collect()
    }
}

fn after<'a>(text: &'a str, title: &str) -> &'a str {
    let (_, rest) = text
        .split_once(title)
        .unwrap_or_else(|| panic!("no {title} in {text}"));
    rest.strip_prefix('\n').unwrap_or(rest)
}

fn numbers(text: &str) -> Vec<f64> {
    let words = text.split_whitespace();
    words.map(|word| word.parse().expect(text)).collect()
}
