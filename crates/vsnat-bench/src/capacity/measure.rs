//! The price of a packet on this very machine.

use std::path::PathBuf;
use std::thread;

use serde::Serialize;

use super::model::PacketPrice;
use crate::regression::find;
use crate::{BenchError, Figure, ShortRun, short};

const TO_CLIENT: &str = "established, to the client";
const TO_SERVER: &str = "established, to the server";
const OPENING: &str = "new connection, wlc, 4 servers";

/// What the programs take, without driver and kernel around them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    pub price: PacketPrice,
    pub opening_ns: f64,
}

/// Measures for a second, in a network namespace of its own.
pub fn measure(object: Option<PathBuf>) -> Result<Measured, BenchError> {
    // A thread of its own enters the namespace, so that the caller does not.
    let run = thread::spawn(move || short(&ShortRun::of_capacity(), object));
    let figures = run.join().map_err(|_| BenchError::System {
        doing: "measure in a thread of its own",
        source: std::io::Error::other("it ended early"),
    })??;
    Ok(Measured {
        price: PacketPrice {
            to_client_ns: of(&figures, TO_CLIENT)?,
            to_server_ns: of(&figures, TO_SERVER)?,
        },
        opening_ns: of(&figures, OPENING)?,
    })
}

fn of(figures: &[Figure], case: &str) -> Result<f64, BenchError> {
    let figure = find(figures, case).ok_or_else(|| BenchError::NoCase(case.to_owned()))?;
    // The clock counts whole nanoseconds.
    Ok(figure.median_ns.max(1.0))
}
