//! The case table on the loaded programs. Needs root.

mod case_table;

use std::sync::{LazyLock, Mutex, PoisonError};

use case_table::kernel_world::KernelWorld;
use vsnat_dataplane::Limits;

/// Loading takes seconds on a slow machine: all cases share one world.
static WORLD: LazyLock<Mutex<KernelWorld>> = LazyLock::new(|| {
    let limits = Limits {
        connections: 4_096,
        services: 256,
        servers: 1_024,
    };
    Mutex::new(KernelWorld::new("cases", limits))
});

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

include!("case_table/list.rs");
