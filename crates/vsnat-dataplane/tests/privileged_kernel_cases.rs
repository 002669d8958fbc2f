//! The case table on the loaded programs. Needs root.

mod case_table;

fn world(limits: Limits) -> KernelWorld {
    KernelWorld::new("cases", limits)
}

include!("case_table/in_kernel.rs");
