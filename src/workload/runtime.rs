//! What the engine says of each container of an object, in the words of the product brief ("Resource Limits → Endpoints"):
//! snake_case names, where the rest of a status has camelCase. Pure; the engine's numbers as they are, none made up.

use super::World;
use super::plan::caps_in_sync;
use super::status::CapsStatus;
use crate::core::member::Role;
use crate::core::resource::Caps;
use crate::core::seen::SeenContainer;
use serde::{Deserialize, Serialize};

/// What the only container of an object is called among its members.
pub const STANDALONE: &str = "standalone";

/// One container that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemberRuntime {
    pub role: String,
    pub container_name: String,
    pub container_id: String,
    /// A word of the engine's.
    pub status: String,
    /// By the engine itself, since it was started by anybody else; not over a restart of the engine.
    pub restart_count: u64,
    /// As the engine says: 20.10 of the end before this start, later ones of any process of this start.
    pub oom_killed: bool,
    /// Processes that the kernel killed for want of memory since the start, as it counts; `null` where it does not show us.
    pub oom_kills: Option<u64>,
    /// Of one that does not run; the engine forgets it at the next start.
    pub exit_code: Option<i64>,
    /// RFC 3339
    pub started_at: Option<String>,
    /// RFC 3339: of the end before this start, while it runs.
    pub finished_at: Option<String>,
    /// The reference that it was made for; empty where that is not known any more.
    pub image: String,
    pub image_id: String,
    pub limits: Limits,
}

/// `drift`: what is in force is not what the manifest says, as far as the engine can do it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    pub configured: CapsStatus,
    pub applied: CapsStatus,
    pub drift: bool,
}

impl MemberRuntime {
    /// `image`: the reference it was made for.
    #[must_use]
    pub fn of<F>(role: &Role, c: &SeenContainer, image: String, caps: &Caps, world: &World<F>) -> Self {
        let time = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Self {
            role: role.label().unwrap_or(STANDALONE).to_owned(),
            container_name: c.name.clone(),
            container_id: c.id.clone(),
            status: c.state.as_str().to_owned(),
            restart_count: c.restart_count,
            oom_killed: c.oom_killed,
            oom_kills: world.troubles.oom_kills,
            exit_code: c.exit_code,
            started_at: time(&c.started_at),
            finished_at: time(&c.finished_at),
            image,
            image_id: c.image_id.clone(),
            limits: Limits {
                configured: caps.into(),
                applied: (&c.caps).into(),
                drift: !caps_in_sync(caps, &c.caps, &world.engine),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::quantity::{Bytes, NanoCpus};
    use crate::core::seen::{ContainerState, EngineInfo};
    use serde_json::json;

    #[test]
    fn names_are_the_product_briefs_and_what_is_not_known_is_null() {
        let engine = EngineInfo { cpus: 2, swap_limit: true, ..EngineInfo::default() };
        let mut world: World<()> = World::unseen(engine);
        world.troubles.oom_kills = Some(2);
        let caps = |memory: u64| Caps { memory: Some(Bytes(memory << 20)), ..Caps::default() };
        let c = SeenContainer {
            id: "c1".to_owned(),
            name: "postgres-main".to_owned(),
            image_id: "sha256:1".to_owned(),
            state: ContainerState::Exited,
            exit_code: Some(137),
            oom_killed: true,
            restart_count: 3,
            started_at: "2026-01-01T00:00:00Z".to_owned(),
            finished_at: "2026-01-01T00:01:00Z".to_owned(),
            caps: caps(256),
            ..SeenContainer::default()
        };
        let seen = MemberRuntime::of(&Role::default(), &c, "postgres:18".to_owned(), &caps(512), &world);
        let limits = |memory: &str| json!({"memory": memory, "swap": null, "cpus": null});
        let want = json!({
            "role": "standalone", "container_name": "postgres-main", "container_id": "c1", "status": "exited",
            "restart_count": 3, "oom_killed": true, "oom_kills": 2, "exit_code": 137,
            "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:01:00Z",
            "image": "postgres:18", "image_id": "sha256:1",
            "limits": {"configured": limits("512Mi"), "applied": limits("256Mi"), "drift": true},
        });
        assert_eq!(serde_json::to_value(&seen).unwrap(), want);

        let never = SeenContainer { caps: caps(512), ..SeenContainer::default() };
        let role = Role::parse("a").unwrap();
        let seen = MemberRuntime::of(&role, &never, String::new(), &caps(512), &world);
        assert_eq!((seen.role.as_str(), seen.status.as_str()), ("a", "created"));
        assert_eq!((seen.exit_code, seen.started_at, seen.finished_at), (None, None, None));
        assert!(!seen.limits.drift);
        // A limit of all CPUs is none.
        let all = Caps { cpus: Some(NanoCpus(2_000_000_000)), ..caps(512) };
        assert!(!MemberRuntime::of(&role, &never, String::new(), &all, &world).limits.drift);
    }
}
