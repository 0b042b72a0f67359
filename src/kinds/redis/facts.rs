//! What is in an image, judged by what is in it. Pure.

use crate::core::seen::SeenImage;
use crate::workload::image::{Facts, Image, Unfit, leaves_room_for};
use serde::{Deserialize, Serialize};

use super::desired::{CONFIG, DATA, SERVER};

/// The oldest major whose users and files are as Seawall writes them.
const OLDEST: u32 = 7;
/// Where images have the server.
pub const PROGRAMS: [&str; 2] = ["/usr/local/bin/redis-server", "/usr/bin/redis-server"];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisImage {
    pub work: Image,
    pub version: String,
    pub major: u32,
    /// Of the user that the server runs as.
    pub gid: u32,
}

impl Facts for RedisImage {
    const KEY: &'static str = "redis";
    fn image(&self) -> &Image {
        &self.work
    }
    fn image_mut(&mut self) -> &mut Image {
        &mut self.work
    }
}

/// From its server's program, its `/etc/passwd` and what the program says of its version, where its environment does not.
///
/// # Errors
/// Why it cannot be used.
pub fn facts(
    image: &SeenImage,
    program: Option<&str>,
    passwd: &str,
    told: Option<&str>,
) -> Result<RedisImage, Unfit> {
    let unfit = |why: String| Err(Unfit(why));
    let contract = "use an image that keeps the official image's contract";
    let Some(program) = program else {
        return unfit(format!("it contains no Redis server ({}); {contract}", PROGRAMS.join(" or ")));
    };
    // Redis server v=8.0.6 sha=…
    let told = told.and_then(|words| words.strip_prefix("Redis server v=")?.split(' ').next());
    let version = image.env.get("REDIS_VERSION").or(told).unwrap_or_default();
    let Some(major) = version.split('.').next().and_then(|n| n.parse::<u32>().ok()) else {
        return unfit(format!("{program} does not tell a version of Redis; {contract}"));
    };
    if major < OLDEST {
        return unfit(format!("it holds Redis {major}; Seawall runs Redis {OLDEST} and newer"));
    }
    let user = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let gid = user.filter(|fields| fields[0] == SERVER.user).find_map(|fields| fields.get(3)?.parse().ok());
    let Some(gid) = gid else {
        return unfit(format!(
            "it has Redis {version}, but there is no user named {} in /etc/passwd; {contract}",
            SERVER.user
        ));
    };
    leaves_room_for(image, CONFIG, "the files of its server")?;
    let mut extra: Vec<String> = image.volumes.iter().filter(|path| *path != DATA).cloned().collect();
    extra.sort();
    Ok(RedisImage {
        work: Image {
            id: image.id.clone(),
            digest: image.digests.first().cloned(),
            mount_path: DATA.to_owned(),
            extra_volumes: extra,
            cmd: image.cmd.clone(),
        },
        version: version.to_owned(),
        major,
        gid,
    })
}
