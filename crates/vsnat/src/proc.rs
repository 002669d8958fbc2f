//! `vsnat proc`: what IPVS shows below `/proc/net`, for programs that read it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use vsnat_director::Client;
use vsnat_ipvsadm::proc::{IpVsConn, ip_vs, ip_vs_stats};

use crate::cli::Target;
use crate::output;
use crate::signals::{EndSignals, Woken};

/// Exporters are asked every 15 s or more.
const DEFAULT_INTERVAL: &str = "5s";

/// More often would only keep the director busy.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// The folder of the files, as below /proc.
const FOLDER: &str = "net";

#[derive(Debug, Args)]
pub struct ProcArgs {
    /// The table to print.
    #[arg(required_unless_present = "dir", conflicts_with = "dir")]
    table: Option<ProcTable>,
    /// Keep DIR/net/ip_vs, ip_vs_conn and ip_vs_stats up to date until a signal
    /// ends this.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Time between two updates.
    #[arg(
        long, value_name = "TIME", default_value = DEFAULT_INTERVAL, value_parser = interval,
        requires = "dir"
    )]
    interval: Duration,
    #[command(flatten)]
    target: Target,
}

/// The tables by the names of IPVS's files.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProcTable {
    #[value(name = ProcTable::Services.file())]
    Services,
    #[value(name = ProcTable::Connections.file())]
    Connections,
    #[value(name = ProcTable::Stats.file())]
    Stats,
}

impl ProcTable {
    const ALL: [ProcTable; 3] = [
        ProcTable::Services,
        ProcTable::Connections,
        ProcTable::Stats,
    ];

    const fn file(self) -> &'static str {
        match self {
            ProcTable::Services => "ip_vs",
            ProcTable::Connections => "ip_vs_conn",
            ProcTable::Stats => "ip_vs_stats",
        }
    }
}

pub fn main(args: &ProcArgs) -> anyhow::Result<ExitCode> {
    let client = args.target.client();
    if let Some(dir) = &args.dir {
        return keep(&client, &dir.join(FOLDER), args.interval);
    }
    if let Some(table) = args.table {
        output::rows(|out| write(&client, table, out))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the files again and again. While no director answers there are none:
/// what stood in them would be taken for its present state.
fn keep(client: &Client, folder: &Path, interval: Duration) -> anyhow::Result<ExitCode> {
    let signals = EndSignals::hold().context("cannot take signals")?;
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make {}; give another --dir", folder.display()))?;
    let mut last_failure = String::new();
    loop {
        let failure = match update(client, folder) {
            Ok(()) => String::new(),
            Err(error) => {
                remove(folder);
                format!("vsnat: {}", crate::chain(&error))
            }
        };
        if !failure.is_empty() && failure != last_failure {
            output::error(&failure);
        }
        last_failure = failure;
        match signals.wait(interval).context("cannot wait for signals")? {
            Woken::ByTime => {}
            Woken::ByEnd => {
                remove(folder);
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

fn update(client: &Client, folder: &Path) -> anyhow::Result<()> {
    for table in ProcTable::ALL {
        let path = folder.join(table.file());
        // A reader sees the old file or the new one.
        let next = folder.join(format!(".{}.next", table.file()));
        let written = File::create(&next).map_err(anyhow::Error::from);
        let written = written.and_then(|file| {
            let mut out = BufWriter::new(file);
            write(client, table, &mut out)?;
            out.flush()?;
            Ok(fs::rename(&next, &path)?)
        });
        written.with_context(|| format!("cannot update {}", path.display()))?;
    }
    Ok(())
}

fn remove(folder: &Path) {
    for table in ProcTable::ALL {
        let next = format!(".{}.next", table.file());
        for file in [table.file(), &next] {
            // It need not be there.
            let _ = fs::remove_file(folder.join(file));
        }
    }
}

fn write(client: &Client, table: ProcTable, out: &mut dyn Write) -> anyhow::Result<()> {
    match table {
        ProcTable::Services => out.write_all(ip_vs(&client.services()?).as_bytes())?,
        ProcTable::Stats => out.write_all(ip_vs_stats(&client.services()?).as_bytes())?,
        ProcTable::Connections => {
            let mut rows = IpVsConn::default();
            out.write_all(IpVsConn::TITLE.as_bytes())?;
            client.connections(|connection| -> anyhow::Result<()> {
                Ok(out.write_all(rows.row(connection).as_bytes())?)
            })?;
        }
    }
    Ok(())
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text);
    let interval = interval.map_err(|_| "write it like 5s or 500ms".to_owned())?;
    if interval < SHORTEST_INTERVAL {
        let least = humantime::format_duration(SHORTEST_INTERVAL);
        return Err(format!("it cannot be less than {least}"));
    }
    Ok(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(interval("500ms"), Ok(Duration::from_millis(500)));
        assert!(interval("5").is_err());
        assert!(interval("0s").unwrap_err().contains("100ms"));
    }
}
