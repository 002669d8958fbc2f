//! `vsnat set`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use vsnat_api::{Command, Setting, SettingName};

use crate::cli::Target;
use crate::output;

#[derive(Debug, Args)]
pub struct SetArgs {
    /// Settings and their new values; without any, all are listed.
    #[arg(value_name = "NAME=VALUE", value_parser = assignment)]
    settings: Vec<Setting>,
    /// List as JSON.
    #[arg(long, conflicts_with = "settings")]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub fn main(args: &SetArgs) -> anyhow::Result<ExitCode> {
    let client = args.target.client();
    if args.settings.is_empty() {
        let settings = client.settings()?.settings;
        let text = match args.json {
            true => serde_json::to_string_pretty(&as_json(&settings))? + "\n",
            false => render(&settings),
        };
        output::text(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut names = BTreeSet::new();
    for setting in &args.settings {
        let name = setting.name();
        if !names.insert(name) {
            bail!("{name} is given twice; nothing was set");
        }
    }
    let commands = args.settings.iter().map(|setting| Command::Set(*setting));
    let results = client.commands(commands.collect())?;
    for (setting, result) in args.settings.iter().zip(results) {
        result.with_context(|| format!("cannot set {}", setting.name()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn render(settings: &[Setting]) -> String {
    let names = SettingName::ALL.map(|name| name.name().len());
    let width = names.into_iter().max().unwrap_or_default();
    let mut text = format!("{:<width$} {:>10} {:>10}\n", "setting", "value", "default");
    for setting in settings {
        let (name, value) = (setting.name(), setting.value());
        let default = name.default_value();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<width$} {value:>10} {default:>10}");
    }
    text
}

fn as_json(settings: &[Setting]) -> serde_json::Value {
    let settings = settings.iter().map(|setting| {
        let name = setting.name();
        let (least, most) = name.range();
        json!({
            "name": name,
            "value": setting.value(),
            "default": name.default_value(),
            "least": least,
            "most": most,
        })
    });
    json!({ "settings": settings.collect::<Vec<_>>() })
}

fn assignment(text: &str) -> Result<Setting, String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err("write it as NAME=VALUE; `vsnat set` lists the names".to_owned());
    };
    let name: SettingName = name.parse().map_err(|error| format!("{error}"))?;
    let (least, most) = name.range();
    let value = value
        .parse()
        .map_err(|_| format!("{name} takes a whole number from {least} to {most}"))?;
    Setting::new(name, value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_judged_before_anything_is_sent() {
        let setting = assignment("drop_entry=3").unwrap();
        assert_eq!(setting.name(), SettingName::DropEntry);
        assert_eq!(setting.value(), 3);
        let said = |text| assignment(text).unwrap_err();
        assert!(said("drop_entry").contains("NAME=VALUE"));
        assert!(said("drop_entri=1").contains("unknown setting \"drop_entri\""));
        assert!(said("drop_entry=4").contains("it goes from 0 to 3"));
        assert!(said("drop_entry=-1").contains("from 0 to 3"));
        assert!(said("drop_entry=on").contains("a whole number"));
    }

    #[test]
    fn one_line_for_each() {
        let value = |name: SettingName| Setting::new(name, name.default_value()).unwrap();
        let text = render(&[
            Setting::new(SettingName::DropEntry, 1).unwrap(),
            value(SettingName::ExpireQuiescentTemplate),
            value(SettingName::LblcExpiration),
        ]);
        let expected = "\
setting                        value    default
drop_entry                         1          0
expire_quiescent_template          0          0
lblc_expiration                86400      86400
";
        assert_eq!(text, expected);
    }
}
