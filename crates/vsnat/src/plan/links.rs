//! The links of a plan: given, or those of interfaces of this machine.

use serde::Serialize;
use vsnat_api::Side;
use vsnat_bench::capacity::{ByteRate, Link, Speed, link};

use super::PlanArgs;

/// The links of one side together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Links {
    pub bytes_per_s: Option<ByteRate>,
    /// Those that were looked at.
    pub interfaces: Vec<Link>,
}

impl Links {
    pub fn of_both_sides(args: &PlanArgs) -> (Self, Self) {
        let outer: Vec<String> = args.outer.iter().cloned().collect();
        let [outer, inner] = match args.original {
            // It says nothing of links, and this machine's are not its.
            true => [outer, args.inner.clone()],
            false => with_the_director(args, [outer, args.inner.clone()]),
        };
        (
            Links::new(args.outer_link, &outer),
            Links::new(args.inner_link, &inner),
        )
    }

    fn new(given: Option<ByteRate>, names: &[String]) -> Self {
        let names = names.iter().filter(|_| given.is_none());
        let interfaces: Vec<Link> = names.map(|name| link(name)).collect();
        Links {
            bytes_per_s: given.or_else(|| sum(&interfaces)),
            interfaces,
        }
    }

    /// What is known of the interfaces, in words.
    pub fn told(&self) -> Option<String> {
        let told: Vec<String> = self
            .interfaces
            .iter()
            .map(|link| match link.speed {
                Speed::BytesPerS(rate) => format!("{} {}", link.name, rate.told_in_bits()),
                Speed::Unknown(why) => format!("{} unknown, {why}", link.name),
            })
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// Interfaces of the running director, where neither they nor their speed are
/// given. Without a director there are none.
fn with_the_director(args: &PlanArgs, [outer, inner]: [Vec<String>; 2]) -> [Vec<String>; 2] {
    let lacks_outer = args.outer_link.is_none() && outer.is_empty();
    let lacks_inner = args.inner_link.is_none() && inner.is_empty();
    if !lacks_outer && !lacks_inner {
        return [outer, inner];
    }
    let Ok(status) = args.target.client().status() else {
        return [outer, inner];
    };
    let of = |side: Side| {
        let interfaces = status.interfaces.iter();
        let interfaces = interfaces.filter(|interface| interface.side == side);
        interfaces
            .map(|interface| interface.name.clone())
            .collect::<Vec<String>>()
    };
    [
        if lacks_outer { of(Side::Outer) } else { outer },
        if lacks_inner { of(Side::Inner) } else { inner },
    ]
}

/// Unknown if one of them is.
fn sum(links: &[Link]) -> Option<ByteRate> {
    let speeds: Option<Vec<f64>> = links
        .iter()
        .map(|link| match link.speed {
            Speed::BytesPerS(rate) => Some(rate.bytes_per_s()),
            Speed::Unknown(_) => None,
        })
        .collect();
    ByteRate::new(speeds?.into_iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, gigabits: Option<f64>) -> Link {
        let rate = gigabits.and_then(|gigabits| ByteRate::of_bits(gigabits * 1e9));
        Link {
            name: name.to_owned(),
            speed: rate.map_or(Speed::Unknown("it is virtual"), Speed::BytesPerS),
        }
    }

    #[test]
    fn links_of_a_side_are_added_if_all_are_known() {
        let known = [interface("eth1", Some(10.0)), interface("eth2", Some(25.0))];
        assert_eq!(sum(&known), ByteRate::of_bits(35e9));
        let mixed = [interface("eth1", Some(10.0)), interface("veth", None)];
        assert_eq!(sum(&mixed), None);
        assert_eq!(sum(&[]), None);
    }

    #[test]
    fn what_is_known_of_interfaces_is_told() {
        let links = Links {
            bytes_per_s: None,
            interfaces: vec![interface("eth1", Some(10.0)), interface("veth", None)],
        };
        let told = "eth1 10 Gbit/s; veth unknown, it is virtual";
        assert_eq!(links.told().as_deref(), Some(told));
    }
}
