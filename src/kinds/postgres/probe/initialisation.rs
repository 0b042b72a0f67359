//! Whether an initialisation that we began ran to its end: by the mark that the last of its scripts, ours,
//! leaves in the data. Asked only before the first Ready, and never of an image without such scripts.

use crate::core::seen::{ContainerState, SeenContainer};
use crate::core::text::shown;
use crate::docker::DockerError;
use crate::kinds::postgres::facts::ImageFacts;
use crate::kinds::postgres::initialisation::{MARK, words_of};
use crate::kinds::postgres::plan::Subject;
use crate::kinds::postgres::tools::Tools;
use crate::kinds::postgres::world::{DataSeen, InitSeen, Server, World};

/// Lines of the log in which the reason is looked for.
const LOG_LINES: usize = 300;

pub(super) async fn initialisation(
    tools: &Tools,
    subject: &Subject<'_>,
    image: &ImageFacts,
    c: &SeenContainer,
    world: &World,
) -> Result<InitSeen, DockerError> {
    let memory = subject.memory;
    let runs = c.state == ContainerState::Running;
    // While the temporary server runs nobody can tell yet; the final one is the first to answer.
    let answers = matches!(
        world.server,
        Server::Up(_)
            | Server::LoginRefused(_)
            | Server::Weak(_)
            | Server::TurnedAway(..)
            | Server::Failed(_)
    );
    let to_judge = if runs { answers } else { matches!(world.data, DataSeen::Major(_)) };
    if memory.work.ever_ready || !memory.init_began || !image.init_scripts || !to_judge {
        return Ok(InitSeen::NotLooked);
    }
    let docker = tools.work.docker.as_ref();
    if docker.exists(&c.id, &format!("{}/{MARK}", image.pgdata)).await? {
        return Ok(InitSeen::Complete);
    }
    // In the only start of its container a server that answers is the final one, mark or none. As seen
    // after the answer: it may have died and come again meanwhile.
    if runs && docker.inspect(&c.id).await?.is_some_and(|now| first_start(&now)) {
        return Ok(InitSeen::Complete);
    }
    let log = docker.logs(&c.id, LOG_LINES).await?;
    Ok(InitSeen::Unfinished(shown(&words_of(&log, c.exit_code), 300)))
}

fn first_start(c: &SeenContainer) -> bool {
    c.state == ContainerState::Running && c.restart_count == 0 && c.finished_at.is_empty()
}
