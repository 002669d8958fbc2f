//! What a plan is computed from, and where each number comes from: given,
//! the original's, measured, found on this machine, or assumed.

use std::thread;

use anyhow::Context;
use serde::Serialize;
use vsnat_bench::capacity::{
    ByteRate, Connection, Nanoseconds, PacketPrice, Plan, Traffic, Units, measure,
};

use super::PlanArgs;
use super::links::Links;

/// The original's 100 µs.
const ORIGINAL_TRANSLATION_NS: f64 = 100_000.0;
/// The original's 300, which are KiB/s.
const ORIGINAL_SERVER: f64 = 300.0 * 1_024.0;
/// Its packets of 1,500 bytes; it counts no others.
const ORIGINAL_TRAFFIC: Traffic = Traffic {
    packet_bytes: 1_500,
    packets_back: 0.0,
    connection: None,
};
/// Of a server that nobody said anything of: about what a link of 1 Gbit/s
/// carries.
const ASSUMED_SERVER: f64 = 100e6;
/// TCP acknowledges every second packet.
const ACKNOWLEDGEMENTS: f64 = 0.5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Given,
    Original,
    Measured,
    Assumed,
}

/// What the programs take of a packet's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Translation {
    #[serde(flatten)]
    pub price: PacketPrice,
    pub source: Source,
}

/// What is known of a packet's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Price {
    ProgramsAlone(Translation),
    WholePath {
        path_ns: Nanoseconds,
        programs: Option<Translation>,
    },
}

#[derive(Clone, Debug, Serialize)]
pub struct Inputs {
    pub price: Price,
    pub traffic: Traffic,
    pub cpus: u32,
    pub outer: Links,
    pub inner: Links,
    pub server_bytes_per_s: ByteRate,
    pub server_source: Source,
    pub servers: Option<u32>,
    #[serde(skip)]
    pub units: Units,
}

impl Inputs {
    pub fn gather(args: &PlanArgs) -> anyhow::Result<Self> {
        let (price, measured_opening_ns) = price(args)?;
        let opening_ns = args.opening.map(Nanoseconds::ns).or(measured_opening_ns);
        let (server_bytes_per_s, server_source) = server(args)?;
        let (outer, inner) = Links::of_both_sides(args);
        let back = match args.original {
            true => ORIGINAL_TRAFFIC.packets_back,
            false => ACKNOWLEDGEMENTS,
        };
        Ok(Inputs {
            price,
            traffic: Traffic {
                packet_bytes: args.packet_bytes,
                packets_back: args.packets_back.unwrap_or(back),
                connection: connection(args, opening_ns)?,
            },
            cpus: cpus(args)?,
            outer,
            inner,
            server_bytes_per_s,
            server_source,
            servers: args.servers,
            units: match args.original {
                true => Units::Binary,
                false => Units::Decimal,
            },
        })
    }

    /// By the whole way of a packet if that is known.
    pub fn plan(&self) -> Plan {
        match self.price {
            Price::ProgramsAlone(translation) => self.plan_of(translation.price),
            Price::WholePath { path_ns, .. } => self.plan_of(alike(path_ns)),
        }
    }

    /// Whether all that it computes with is the original's.
    pub fn is_the_original(&self) -> bool {
        let Price::ProgramsAlone(translation) = self.price else {
            return false;
        };
        let sources = [translation.source, self.server_source];
        let links = [self.outer.bytes_per_s, self.inner.bytes_per_s];
        sources == [Source::Original; 2]
            && links == [None; 2]
            && self.traffic == ORIGINAL_TRAFFIC
            && (self.cpus, self.servers) == (1, None)
    }

    /// By the programs alone, beside a plan by the whole way.
    pub fn programs_alone(&self) -> Option<Plan> {
        match self.price {
            Price::ProgramsAlone(_) => None,
            Price::WholePath { programs, .. } => {
                programs.map(|translation| self.plan_of(translation.price))
            }
        }
    }

    fn plan_of(&self, price: PacketPrice) -> Plan {
        Plan {
            price,
            traffic: self.traffic,
            cpus: self.cpus,
            outer_link_bytes_per_s: self.outer.bytes_per_s,
            inner_link_bytes_per_s: self.inner.bytes_per_s,
            server_bytes_per_s: self.server_bytes_per_s,
            servers: self.servers,
        }
    }
}

/// What is given of a packet's time, or what it is on this machine, then with
/// the opening of a connection.
fn price(args: &PlanArgs) -> anyhow::Result<(Price, Option<f64>)> {
    let given = args.translation.map(|time| Translation {
        price: alike(time),
        source: Source::Given,
    });
    let original = args.original.then_some(Translation {
        price: PacketPrice {
            to_client_ns: ORIGINAL_TRANSLATION_NS,
            to_server_ns: ORIGINAL_TRANSLATION_NS,
        },
        source: Source::Original,
    });
    match (args.path, given.or(original)) {
        (Some(path_ns), programs) => Ok((Price::WholePath { path_ns, programs }, None)),
        (None, Some(translation)) => Ok((Price::ProgramsAlone(translation), None)),
        (None, None) => {
            let measured = measure(None).context(
                "cannot measure what a packet takes on this machine; use sudo, or give the time \
                 by --translation or --path",
            )?;
            let translation = Translation {
                price: measured.price,
                source: Source::Measured,
            };
            let price = Price::ProgramsAlone(translation);
            Ok((price, Some(measured.opening_ns)))
        }
    }
}

fn alike(time: Nanoseconds) -> PacketPrice {
    PacketPrice {
        to_client_ns: time.ns(),
        to_server_ns: time.ns(),
    }
}

fn connection(args: &PlanArgs, opening_ns: Option<f64>) -> anyhow::Result<Option<Connection>> {
    let Some(bytes) = args.connection_bytes else {
        return Ok(None);
    };
    let opening_ns = opening_ns.context(
        "what a packet takes is given, and what opening a connection takes is not: give that by \
         --opening, or leave out --connection-bytes",
    )?;
    Ok(Some(Connection {
        bytes: bytes as f64,
        opening_ns,
    }))
}

fn server(args: &PlanArgs) -> anyhow::Result<(ByteRate, Source)> {
    if let Some(rate) = args.server_rate {
        return Ok((rate, Source::Given));
    }
    let (bytes_per_s, source) = match args.original {
        true => (ORIGINAL_SERVER, Source::Original),
        false => (ASSUMED_SERVER, Source::Assumed),
    };
    let rate = ByteRate::new(bytes_per_s).context("a server that sends nothing")?;
    Ok((rate, source))
}

fn cpus(args: &PlanArgs) -> anyhow::Result<u32> {
    match (args.cpus, args.original) {
        (Some(cpus), _) => Ok(cpus),
        (None, true) => Ok(1),
        (None, false) => {
            let cpus = thread::available_parallelism()
                .context("cannot count the CPUs of this machine; say how many by --cpus")?;
            Ok(u32::try_from(cpus.get()).unwrap_or(u32::MAX))
        }
    }
}
