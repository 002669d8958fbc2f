// Included by the targets that run the cases on the loaded programs, each of
// which says by `world` what stands on the links. No module: a program of tests
// has one world.

use std::sync::{LazyLock, Mutex, PoisonError};

use case_table::kernel_world::KernelWorld;
use vsnat_dataplane::{DataPlane, Limits};

/// Loading takes seconds on a slow machine: all cases share one world.
static WORLD: LazyLock<Mutex<KernelWorld>> = LazyLock::new(|| {
    let limits = Limits {
        connections: 4_096,
        services: 256,
        servers: 1_024,
    };
    let world = world(limits);
    // SAFETY: a function without arguments, called once when all tests are over.
    unsafe { libc::atexit(unpin) };
    Mutex::new(world)
});

/// A static is never dropped, and what is pinned outlives the process.
extern "C" fn unpin() {
    let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody is left who could be told.
    let _ = DataPlane::remove(world.name());
}

macro_rules! cases {
    ($($module:ident :: $case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
                world.enter();
                case_table::$module::$case(&mut *world);
            }
        )+
    };
}

include!("list.rs");
