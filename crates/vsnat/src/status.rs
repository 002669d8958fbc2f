//! `vsnat status`.

use std::fmt::Write;
use std::process::ExitCode;

use vsnat_api::{InterfaceView, ReasonCount, Setting, Side, Status, SweeperView, TableView};

use crate::cli::StatusArgs;
use crate::output;

pub fn main(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let status = args.target.client().status()?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&status)? + "\n",
        false => render(&status),
    };
    output::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn render(status: &Status) -> String {
    let Status {
        name,
        version,
        pid,
        uptime_s,
        interfaces,
        table,
        sweeper,
        memory_bytes,
        settings,
        reasons,
    } = status;
    let up = duration(*uptime_s);
    let mut text = format!("director {name}: vsnat {version}, process {pid}, up {up}\n\n");
    text += &interface_lines(interfaces);
    text += &table_line(table);
    text += &memory_line(*memory_bytes);
    text += &sweeper_lines(sweeper);
    text += &setting_lines(settings);
    text += &reason_lines(reasons);
    text
}

fn interface_lines(interfaces: &[InterfaceView]) -> String {
    if interfaces.is_empty() {
        return "interfaces   none: all are gone, and are attached when they return\n".to_owned();
    }
    let mut text = String::new();
    let mut title = "interfaces";
    for InterfaceView {
        name,
        side,
        attached_by,
        accelerated_by,
        why,
    } in interfaces
    {
        let side = match side {
            Side::Outer => "outer",
            Side::Inner => "inner",
        };
        let by = match accelerated_by.as_str() {
            "" => attached_by.clone(),
            front => format!("{front} and {attached_by}"),
        };
        let why = match why.as_str() {
            "" => String::new(),
            why => format!(" ({why})"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{title:<12} {name:<15} {side}, by {by}{why}");
        title = "";
    }
    text
}

fn table_line(table: &TableView) -> String {
    let TableView {
        capacity,
        live,
        dying,
        free,
    } = table;
    let percent = f64::from(*live) * 100.0 / f64::from((*capacity).max(1));
    format!(
        "connections  {} of {} ({percent:.1} %), {} resting, {} free\n",
        grouped(u64::from(*live)),
        grouped(u64::from(*capacity)),
        grouped(u64::from(*dying)),
        grouped(u64::from(*free))
    )
}

fn memory_line(bytes: u64) -> String {
    const MB: f64 = 1e6;
    let megabytes = bytes as f64 / MB;
    format!("memory       {megabytes:.1} MB of the kernel, for all tables\n")
}

fn sweeper_lines(sweeper: &SweeperView) -> String {
    let SweeperView {
        version,
        expected_version,
        ticks,
        expired,
        longest_tick_us,
    } = sweeper;
    let mut text = format!(
        "sweeper      {} ticks, {} connections expired, longest tick {} us\n",
        grouped(*ticks),
        grouped(*expired),
        grouped(*longest_tick_us)
    );
    if version != expected_version {
        let _ = writeln!(
            text,
            "             program {version:016x} ticks where {expected_version:016x} should: restart \
             the director"
        );
    }
    text
}

/// The settings that differ from their defaults.
fn setting_lines(settings: &[Setting]) -> String {
    let mut text = String::new();
    let mut title = "settings";
    for setting in settings {
        let (name, value) = (setting.name(), setting.value());
        let default = name.default_value();
        let _ = writeln!(text, "{title:<12} {name} {value} (default {default})");
        title = "";
    }
    text
}

fn reason_lines(reasons: &[ReasonCount]) -> String {
    let counted: Vec<&ReasonCount> = reasons.iter().filter(|r| r.packets > 0).collect();
    let Some(width) = counted.iter().map(|r| r.reason.len()).max() else {
        return "packets      none yet\n".to_owned();
    };
    let mut text = "\npackets by verdict\n".to_owned();
    for ReasonCount { reason, packets } in counted {
        let packets = grouped(*packets);
        let _ = writeln!(text, "  {reason:<width$} {packets:>17}");
    }
    text
}

/// 262144 as 262,144.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn duration(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use vsnat_api::SettingName;

    use super::*;

    #[test]
    fn readable_and_without_what_never_happened() {
        let status = Status {
            name: "web".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 7,
            uptime_s: 7_325,
            interfaces: vec![
                InterfaceView {
                    name: "eth0".to_owned(),
                    side: Side::Outer,
                    attached_by: "tcx".to_owned(),
                    accelerated_by: "xdp (driver)".to_owned(),
                    why: "asked for".to_owned(),
                },
                InterfaceView {
                    name: "eth1".to_owned(),
                    side: Side::Inner,
                    attached_by: "clsact".to_owned(),
                    accelerated_by: String::new(),
                    why: String::new(),
                },
            ],
            table: TableView {
                capacity: 262_144,
                live: 2_621,
                dying: 3,
                free: 259_520,
            },
            sweeper: SweeperView {
                version: 1,
                expected_version: 2,
                ticks: 1_000_000,
                expired: 12,
                longest_tick_us: 181,
            },
            memory_bytes: 84_900_000,
            settings: vec![
                Setting::new(SettingName::ConnReuseMode, 0).unwrap(),
                Setting::new(SettingName::DropEntry, 2).unwrap(),
            ],
            reasons: vec![
                ReasonCount {
                    reason: "forward".to_owned(),
                    packets: 1_234,
                },
                ReasonCount {
                    reason: "martian".to_owned(),
                    packets: 0,
                },
            ],
        };
        let expected = "\
director web: vsnat 0.1.0, process 7, up 2 h 2 min

interfaces   eth0            outer, by xdp (driver) and tcx (asked for)
             eth1            inner, by clsact
connections  2,621 of 262,144 (1.0 %), 3 resting, 259,520 free
memory       84.9 MB of the kernel, for all tables
sweeper      1,000,000 ticks, 12 connections expired, longest tick 181 us
             program 0000000000000001 ticks where 0000000000000002 should: restart the director
settings     conn_reuse_mode 0 (default 1)
             drop_entry 2 (default 0)

packets by verdict
  forward             1,234
";
        assert_eq!(render(&status), expected);
    }
}
