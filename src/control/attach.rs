//! Seawall in a container beside the databases (`SEAWALL_REACH=network`) reaches them by name, so its
//! own container has to be on their network. Nobody can attach it beforehand: the network carries this
//! installation's labels and is made by the first pass.

use super::operator::Operator;
use crate::core::seen::SeenContainer;
use crate::docker::DockerError;
use crate::engines::postgres::tools::Reach;
use crate::engines::postgres::world::{Server, Slot, World};

/// The engine names a container's host after its id, unless it was told otherwise.
const HOSTNAME: &str = "/etc/hostname";

async fn own_container(operator: &Operator) -> Result<Option<SeenContainer>, DockerError> {
    let name = tokio::fs::read_to_string(HOSTNAME).await.unwrap_or_default();
    match name.trim() {
        "" => Ok(None),
        name => operator.tools.docker.inspect(name).await,
    }
}

/// Says at the start what would otherwise look like databases that never answer.
pub(super) async fn check(operator: &Operator) {
    if operator.config.reach == Reach::Network && matches!(own_container(operator).await, Ok(None)) {
        tracing::warn!(
            "this process reaches databases over the network {0}, but its own container is not found by its host name; \
             run it without --hostname, or attach it by hand: docker network connect {0} CONTAINER",
            operator.config.installation.network()
        );
    }
}

/// Attaches our own container where it is not yet; a server that answers proves that it is.
pub(super) async fn attach(operator: &Operator, world: &World) {
    let Slot::Ours(id) = &world.network else { return };
    if operator.config.reach != Reach::Network || matches!(world.server, Server::Up(_)) {
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
    own.networks.values().any(|endpoint| endpoint.network_id == network)
}
