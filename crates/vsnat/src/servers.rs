//! `vsnat servers`.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use vsnat_api::{ServerStandings, Source, Standing};

use crate::cli::Target;
use crate::output;

#[derive(Debug, Args)]
pub struct ServersArgs {
    #[command(flatten)]
    target: Target,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn main(args: &ServersArgs) -> anyhow::Result<ExitCode> {
    let standings = args.target.client().servers()?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&standings)? + "\n",
        false => render(&standings),
    };
    output::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn render(standings: &ServerStandings) -> String {
    let mut text = String::new();
    let mut last = None;
    for server in &standings.servers {
        // Writing to a String cannot fail.
        if last != Some(server.service) {
            let source = match server.source {
                Source::Client => "",
                Source::Director => ", source director",
            };
            let _ = writeln!(text, "{}{source}", server.service);
            last = Some(server.service);
        }
        let standing = match server.standing {
            Standing::In => "in",
            Standing::Out => "out",
        };
        let since = match server.since_s {
            Some(seconds) => format!("{seconds} s"),
            None => "-".to_owned(),
        };
        let (address, weight) = (server.address.to_string(), server.weight.get());
        let (came_by, why) = (&server.came_by, &server.why);
        let growing = match server.growing {
            Some(growing) => format!(
                "; its weight grows to {} within {} s",
                growing.to.get(),
                growing.within_s
            ),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "  {address:<21} weight {weight:<5} {standing:<3} {since:>9}  by {came_by}: {why}{growing}"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use vsnat_api::{Growing, Protocol, ServerStanding, ServiceKey, Weight};

    use super::*;

    #[test]
    fn readable() {
        let address = "203.0.113.10:80".parse().unwrap();
        let service = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address,
        };
        let fixed = ServerStanding {
            service,
            address: "10.0.100.11:80".parse().unwrap(),
            weight: Weight::new(1).unwrap(),
            came_by: "file".to_owned(),
            standing: Standing::In,
            since_s: None,
            why: "nobody checks it".to_owned(),
            growing: None,
            source: Source::Director,
        };
        let grows = ServerStanding {
            address: "10.0.100.12:80".parse().unwrap(),
            weight: Weight::new(40).unwrap(),
            came_by: "host name web-*".to_owned(),
            since_s: Some(12),
            why: "it accepts connections".to_owned(),
            growing: Some(Growing {
                to: Weight::new(100).unwrap(),
                within_s: 18,
            }),
            ..fixed.clone()
        };
        let out = ServerStanding {
            address: "10.0.100.100:8080".parse().unwrap(),
            came_by: "host name web-*".to_owned(),
            standing: Standing::Out,
            since_s: Some(12),
            why: "cannot connect: Connection refused (os error 111)".to_owned(),
            ..fixed.clone()
        };
        let expected = "\
TCP 203.0.113.10:80, source director
  10.0.100.11:80        weight 1     in          -  by file: nobody checks it
  10.0.100.12:80        weight 40    in       12 s  by host name web-*: it accepts connections; its weight grows to 100 within 18 s
  10.0.100.100:8080     weight 1     out      12 s  by host name web-*: cannot connect: Connection refused (os error 111)
";
        let servers = vec![fixed, grows, out];
        assert_eq!(render(&ServerStandings { servers }), expected);
    }
}
