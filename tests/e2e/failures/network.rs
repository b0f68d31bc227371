//! Replicas on machines of their own, as far as the network knows: each has a cable to the database and one to
//! everybody else, and either can be pulled out without anyone being told.

use std::process::Command;

pub struct Network {
    tag: String,
    number: u8,
    places: Vec<String>,
}

/// Which cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    Database,
    Front,
}

impl Cable {
    const BOTH: [Self; 2] = [Self::Database, Self::Front];

    fn letter(self) -> char {
        match self {
            Self::Database => 'd',
            Self::Front => 'f',
        }
    }

    /// Of the range that is kept for tests of networks.
    fn address(self, network: u8, machine: usize) -> String {
        let second = match self {
            Self::Database => 18,
            Self::Front => 19,
        };
        format!("198.{second}.{network}.{machine}")
    }
}

impl Network {
    /// With places for so many. This needs root and `ip`: partitions that did not happen prove nothing, so it fails
    /// without them.
    pub fn new(places: usize) -> Self {
        let mut network =
            Self { tag: format!("em{:04x}", rand::random::<u16>()), number: rand::random(), places: Vec::new() };
        for cable in Cable::BOTH {
            let bridge = network.bridge(cable);
            ip(&format!("link add {bridge} type bridge forward_delay 0"));
            ip(&format!("address add {}/24 dev {bridge}", network.here(cable)));
            ip(&format!("link set dev {bridge} up"));
        }
        for place in 0..places {
            let name = format!("{}-{place}", network.tag);
            ip(&format!("netns add {name}"));
            network.places.push(name.clone());
            ip(&format!("-n {name} link set dev lo up"));
            for cable in Cable::BOTH {
                let (port, end) = (network.port(cable, place), cable.letter());
                ip(&format!("link add {port} type veth peer name {end} netns {name}"));
                ip(&format!("-n {name} address add {}/24 dev {end}", network.address(cable, place)));
                ip(&format!("-n {name} link set dev {end} up"));
                ip(&format!("link set dev {port} up"));
                network.plug(cable, place);
            }
        }
        network
    }

    /// The test's own address.
    pub fn here(&self, cable: Cable) -> String {
        cable.address(self.number, 1)
    }

    pub fn address(&self, cable: Cable, place: usize) -> String {
        cable.address(self.number, 10 + place)
    }

    pub fn namespace(&self, place: usize) -> &str {
        &self.places[place]
    }

    /// Both ends believe that the cable is still in; nothing arrives.
    pub fn unplug(&self, cable: Cable, place: usize) {
        ip(&format!("link set dev {} nomaster", self.port(cable, place)));
    }

    pub fn plug(&self, cable: Cable, place: usize) {
        ip(&format!("link set dev {} master {}", self.port(cable, place), self.bridge(cable)));
    }

    fn bridge(&self, cable: Cable) -> String {
        format!("{}{}", self.tag, cable.letter())
    }

    fn port(&self, cable: Cable, place: usize) -> String {
        format!("{}{place}", self.bridge(cable))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let places = self.places.iter().map(|place| format!("netns delete {place}"));
        for command in places.chain(Cable::BOTH.map(|cable| format!("link delete {}", self.bridge(cable)))) {
            if let Err(error) = try_ip(&command) {
                println!("{error}");
            }
        }
    }
}

fn ip(command: &str) {
    try_ip(command).unwrap_or_else(|error| panic!("{error}; partitions need root and Debian's iproute2"));
}

fn try_ip(command: &str) -> Result<(), String> {
    let output = Command::new("ip").args(command.split(' ')).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {command}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
