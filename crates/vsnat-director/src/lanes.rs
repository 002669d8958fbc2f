//! XDP in front of TC, interface by interface: what the file asks for, what the
//! host allows, and what is told of it.

use vsnat_api::InterfaceView;
use vsnat_config::Config;
use vsnat_dataplane::{Acceleration, AttachError, DataPlane, Lane, RunBy};

use crate::host::link::Link;
use crate::start::sides;

/// Brings every interface that is here to what the file asks for it.
pub(crate) fn accelerate(
    config: &Config,
    links: &[Link],
    data_plane: &mut DataPlane,
) -> Result<Vec<Acceleration>, AttachError> {
    let results = data_plane.accelerate(&lanes(config, links))?;
    for result in &results {
        let Acceleration {
            interface,
            run_by,
            why,
        } = result;
        match run_by {
            Some(run_by) => {
                let by = name_of(*run_by);
                tracing::info!("{by} stands in front of TC on {interface}: {why}");
            }
            None => tracing::debug!("no XDP on {interface}: {why}"),
        }
    }
    Ok(results)
}

/// Puts the results where `vsnat status` finds them.
pub(crate) fn show(results: &[Acceleration], views: &mut [InterfaceView]) {
    for result in results {
        let Some(view) = views.iter_mut().find(|view| view.name == result.interface) else {
            continue;
        };
        let by = result.run_by.map(name_of);
        view.accelerated_by = by.unwrap_or_default().to_owned();
        view.why.clone_from(&result.why);
    }
}

fn lanes(config: &Config, links: &[Link]) -> Vec<Lane> {
    let here = sides(config).filter_map(|(interface, side)| {
        let link = links.iter().find(|link| link.name == interface)?;
        Some(Lane {
            interface: interface.to_owned(),
            side,
            attach: config.attach_of(interface),
            obstacle: link.xdp_obstacle(links),
        })
    });
    here.collect()
}

fn name_of(run_by: RunBy) -> &'static str {
    match run_by {
        RunBy::Driver => "xdp (driver)",
        RunBy::Kernel => "xdp (generic)",
    }
}
