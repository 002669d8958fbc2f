//! Loading many programs at once.
//!
//! The verifier walks through a million instructions for all of them together,
//! on the CPU that loads: a director on several CPUs need not wait for one. It
//! holds no lock that two loaders would share.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

use aya::Ebpf;
use aya::programs::SchedClassifier;

use crate::OpenError;
use crate::kernel::error::program_reason;

/// More loaders than this do not pay: the longest program takes a third of the
/// time of all.
const LOADERS: usize = 4;

/// Loads these programs. The first error counts.
pub(super) fn load_all(ebpf: &mut Ebpf, names: &[&str]) -> Result<(), OpenError> {
    for name in names {
        if ebpf.program(name).is_none() {
            return Err(failed(
                name,
                "the eBPF object has no such program".to_owned(),
            ));
        }
    }
    let wanted = ebpf.programs_mut().filter(|(name, _)| names.contains(name));
    let mut programs = Vec::new();
    for (name, program) in wanted {
        let program: &mut SchedClassifier = program
            .try_into()
            .map_err(|error| failed(name, program_reason(&error)))?;
        programs.push((name, program));
    }
    let loaders = thread::available_parallelism().map_or(1, NonZero::get);
    let queue = Mutex::new(programs);
    let errors = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..loaders.min(LOADERS) {
            scope.spawn(|| {
                while let Some((name, program)) = taken(&queue) {
                    if let Err(error) = program.load() {
                        put(&errors, failed(name, program_reason(&error)));
                    }
                }
            });
        }
    });
    let errors = errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    errors.into_iter().next().map_or(Ok(()), Err)
}

fn failed(program: &str, reason: String) -> OpenError {
    OpenError::Program {
        program: program.to_owned(),
        reason,
    }
}

fn taken<T>(queue: &Mutex<Vec<T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn put<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(item);
}
