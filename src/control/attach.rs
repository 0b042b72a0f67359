//! Seawall in a container beside the databases (`SEAWALL_REACH=network`) reaches them by name, so its
//! own container has to be on their network. Nobody can attach it beforehand: the network carries this
//! installation's labels and is made by the first pass.

use super::operator::Operator;
use crate::core::seen::SeenContainer;
use crate::docker::DockerError;
use crate::kinds::Reconciler;
use crate::workload::tools::Reach;

/// The engine mounts a file of its own over each container's `/etc/hostname`: its path tells the id,
/// whatever the host name is.
const MOUNTS: &str = "/proc/self/mountinfo";

async fn own_container(operator: &Operator) -> Result<Option<SeenContainer>, DockerError> {
    let mounts = tokio::fs::read_to_string(MOUNTS).await.unwrap_or_default();
    match own_id(&mounts) {
        Some(id) => operator.tools.docker.inspect(id).await,
        None => Ok(None),
    }
}

/// `… /var/lib/docker/containers/ID/hostname /etc/hostname …` → `ID`
fn own_id(mounts: &str) -> Option<&str> {
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(3);
        let (source, target) = (words.next()?, words.next()?);
        let id = source.strip_suffix("/hostname")?.rsplit('/').next()?;
        let is_id = id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
        (target == "/etc/hostname" && is_id).then_some(id)
    })
}

/// Says at the start what would otherwise look like databases that never answer.
pub(super) async fn check(operator: &Operator) {
    if operator.config.reach == Reach::Network && matches!(own_container(operator).await, Ok(None)) {
        tracing::warn!(
            "this process reaches databases over the network {0}, but it does not find its own container; \
             attach it by hand once the network is there: docker network connect {0} CONTAINER",
            operator.config.installation.network()
        );
    }
}

/// Attaches our own container where it is not yet; a server that answers proves that it is.
pub(super) async fn attach<R: Reconciler>(operator: &Operator, world: &R::World) {
    let Some(id) = R::seen(world).into_iter().find_map(|(_, seen)| seen.network().ours()) else { return };
    if operator.config.reach != Reach::Network || R::answers(world) {
        return;
    }
    let network = operator.config.installation.network();
    let outcome = match own_container(operator).await {
        Ok(Some(own)) if !attached(&own, id) => {
            operator.tools.docker.connect(id, &own.id, &[]).await.map(|()| true)
        }
        Ok(_) => Ok(false),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(true) => tracing::info!(%network, "attached this container to the network of the databases"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%network, %error, "this container could not be attached to the network"),
    }
}

fn attached(own: &SeenContainer, network: &str) -> bool {
    own.networks.iter().any(|endpoint| endpoint.network_id == network)
}

#[cfg(test)]
mod tests {
    use super::own_id;

    #[test]
    fn a_container_finds_its_own_id_among_its_mounts() {
        let id = "e3ebb2a469eed6fb7b885121a05d6c618e99e99d10af4ed0fb3ddd9af9dd5037";
        let root = "700 650 0:60 / / ro,relatime - overlay overlay rw\n";
        let hosts = format!("701 700 8:1 /docker/containers/{id}/hosts /etc/hosts rw - ext4 /dev/a rw\n");
        let hostname =
            format!("702 700 8:1 /docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/a rw\n");
        assert_eq!(own_id(&format!("{root}{hosts}{hostname}")), Some(id));
        assert_eq!(own_id(&format!("{root}{hosts}")), None);
        // A host name file that somebody else mounts is not an engine's.
        assert_eq!(own_id("702 700 8:1 /etc/hostname /etc/hostname rw - ext4 /dev/a rw"), None);
        assert_eq!(own_id(""), None);
    }
}
