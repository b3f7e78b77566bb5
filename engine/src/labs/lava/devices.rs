//! What a lab has: device types, devices, and which of them can take a job now.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::LavaError;
use super::client::Client;
use crate::text::counted;
use crate::text::did_you_mean;

/// A device of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its name.
    pub hostname: String,
    /// Its device type, as the lab calls it.
    pub device_type: String,
    /// LAVA's word, such as `Good`.
    pub health: String,
    /// LAVA's word, such as `Idle`.
    pub state: String,
    /// Names of its tags.
    pub tags: BTreeSet<String>,
    /// Whether its worker is online and takes jobs.
    pub online: bool,
}

/// What a lab offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Device types.
    pub types: BTreeSet<String>,
    /// Devices that the user may see, by name.
    pub devices: Vec<Device>,
    /// Jobs that wait for a device, by device type.
    pub queue: BTreeMap<String, usize>,
}

impl Device {
    /// Whether it may take jobs: LAVA gives them also to devices of unknown health, which nobody here relies on.
    fn is_good(&self) -> bool {
        self.health == "Good" && self.online
    }
}

impl Offer {
    /// Asks a server.
    pub(super) async fn ask(client: &Client) -> Result<Self, LavaError> {
        let types = client
            .list("list the device types", "devicetypes/", &[])
            .await?;
        let workers = client.list("list the workers", "workers/", &[]).await?;
        let tags = client.list("list the tags", "tags/", &[]).await?;
        let devices = client.list("list the devices", "devices/", &[]).await?;
        let waiting = [("state", "Submitted")];
        let waiting = client
            .list("list the waiting jobs", "jobs/", &waiting)
            .await?;

        let tag = |row: &Value| Some((row["id"].as_u64()?, text(&row["name"])));
        let tags: BTreeMap<u64, String> = tags.iter().filter_map(tag).collect();
        let online = workers
            .iter()
            .filter(|worker| worker["state"] == "Online" && worker["health"] == "Active");
        let online: BTreeSet<&str> = online
            .filter_map(|worker| worker["hostname"].as_str())
            .collect();
        let device = |row: &Value| Device {
            hostname: text(&row["hostname"]),
            device_type: text(&row["device_type"]),
            health: text(&row["health"]),
            state: text(&row["state"]),
            tags: row["tags"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|tag| tags.get(&tag.as_u64()?).cloned())
                .collect(),
            online: row["worker_host"]
                .as_str()
                .is_some_and(|worker| online.contains(worker)),
        };
        let mut devices: Vec<Device> = devices.iter().map(device).collect();
        devices.sort_by(|a, b| a.hostname.cmp(&b.hostname));
        let mut queue = BTreeMap::new();
        // A server that does not know the filter gives all jobs.
        for job in waiting.iter().filter(|job| job["state"] == "Submitted") {
            *queue
                .entry(text(&job["requested_device_type"]))
                .or_default() += 1;
        }
        Ok(Self {
            types: types.iter().map(|row| text(&row["name"])).collect(),
            devices,
            queue,
        })
    }

    /// How many devices of a type and with tags take jobs now, or why there is none.
    pub fn good(&self, device_type: &str, tags: &[String]) -> Result<usize, String> {
        if !self.types.contains(device_type) {
            let near = did_you_mean(device_type, self.types.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?"));
            return Err(format!(
                "it has no device type `{device_type}`{}",
                near.unwrap_or_default()
            ));
        }
        let of_type = self
            .devices
            .iter()
            .filter(|device| device.device_type == device_type);
        let tagged = of_type.filter(|device| tags.iter().all(|tag| device.tags.contains(tag)));
        let devices: Vec<&Device> = tagged.collect();
        let good = devices.iter().filter(|device| device.is_good()).count();
        if good > 0 {
            return Ok(good);
        }
        if devices.is_empty() {
            let with = match tags {
                [] => String::new(),
                tags => format!(" with the tags {}", tags.join(", ")),
            };
            return Err(format!(
                "no device of type `{device_type}`{with} is there to be seen"
            ));
        }
        let mut why: BTreeMap<&str, usize> = BTreeMap::new();
        for device in &devices {
            let word = match device.health.as_str() {
                "Good" => "on a worker that is offline",
                health => health,
            };
            *why.entry(word).or_default() += 1;
        }
        let why: Vec<String> = why
            .iter()
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let count = counted(devices.len(), "device", "devices");
        Err(format!(
            "{count} of type `{device_type}`: {}",
            why.join(", ")
        ))
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
