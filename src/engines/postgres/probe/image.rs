//! What is in the image. Known once, known for good: ids stand for contents.
//!
//! Looking takes a throw-away container, labelled as such. Must never start it unless the image does not
//! tell its version otherwise, and never leave it behind.

use crate::core::desired::DesiredContainer;
use crate::core::seen::{EngineInfo, SeenContainer, SeenImage};
use crate::core::will::Wanted;
use crate::docker::{Docker, DockerError};
use crate::engines::postgres::collation::Libraries;
use crate::engines::postgres::desired::looker;
use crate::engines::postgres::facts::{self, Contents, ImageFacts, TOOLS, Unfit};
use crate::engines::postgres::initialisation;
use crate::engines::postgres::plan::Subject;
use crate::engines::postgres::programs;
use crate::engines::postgres::tools::Tools;
use crate::engines::postgres::world::ImageSeen;
use crate::secrets::random_id;
use crate::store::Store as _;
use std::time::Duration;

/// Where Debian and Alpine keep what is installed, in the order of [`Libraries::of`].
const PACKAGES: [&str; 2] = ["/var/lib/dpkg/status", "/lib/apk/db/installed"];
/// Read of each; an image of a database server has a tenth of it.
const PACKAGE_BYTES: usize = 8 << 20;

/// The image that is wanted: the pinned one while the manifest names the same reference and it is local.
/// Whatever goes wrong is said of the image alone, a cut connection too: the rest of the object is looked after all
/// the same, and an engine that is away is told by the look at the container.
pub(super) async fn wanted(tools: &Tools, subject: &Subject<'_>, engine: &EngineInfo) -> ImageSeen {
    match image(tools, subject, engine).await {
        Ok(image) => image,
        // It went away between two looks.
        Err(DockerError::ImageMissing { .. }) => ImageSeen::Missing,
        Err(error) => unknown(&error),
    }
}

fn unknown(error: &DockerError) -> ImageSeen {
    let refused = matches!(error, DockerError::Refused { status, .. } if (400..500).contains(status));
    ImageSeen::Unknown { words: error.to_string(), refused }
}

async fn image(tools: &Tools, subject: &Subject<'_>, engine: &EngineInfo) -> Result<ImageSeen, DockerError> {
    let reference = subject.spec.image.as_str();
    if let Some(pinned) = subject.memory.image.as_ref().filter(|p| p.reference == reference)
        && let Some(image) = by_id(tools, &pinned.id, engine).await?
    {
        return Ok(image);
    }
    match tools.docker.image(reference).await? {
        None => Ok(ImageSeen::Missing),
        Some(image) => Ok(seen(look_into(tools, &image, engine).await?)),
    }
}

/// `None` when it is not local. Ids stand for contents: what was found in it once holds also while the engine does
/// not tell whether it is there.
async fn by_id(tools: &Tools, id: &str, engine: &EngineInfo) -> Result<Option<ImageSeen>, DockerError> {
    if let Some(known) = tools.image_facts(id) {
        return Ok(Some(seen(known)));
    }
    match tools.docker.image(id).await {
        Ok(None) => Ok(None),
        Ok(Some(image)) => Ok(Some(seen(look_into(tools, &image, engine).await?))),
        Err(error) => match tools.stored_image_facts(id) {
            Some(known) => Ok(Some(ImageSeen::Fit(tools.known_image(id, known)))),
            None => Err(error),
        },
    }
}

/// A container that runs holds its image: nobody can remove it.
fn held_by(c: &SeenContainer, id: &str) -> bool {
    c.image_id == id && c.state.is_up()
}

/// What is known of an image from before says nothing about its being there: nothing is removed for the
/// sake of a successor that cannot be made.
pub(super) async fn still_local(
    tools: &Tools,
    subject: &Subject<'_>,
    engine: &EngineInfo,
    c: &SeenContainer,
    image: ImageSeen,
) -> ImageSeen {
    let ImageSeen::Fit(facts) = &image else { return image };
    if held_by(c, &facts.id) || subject.wanted() != Wanted::Running {
        return image;
    }
    match tools.docker.image(&facts.id).await {
        Ok(Some(_)) => image,
        Ok(None) => {
            tools.forget_image(&facts.id);
            wanted(tools, subject, engine).await
        }
        Err(error) => unknown(&error),
    }
}

/// The image in use, while the wanted one is another or not known: what is there goes on with it until the other can
/// be used. `None` when it is the same, or nothing could be made from it.
pub(super) async fn pinned(
    tools: &Tools,
    subject: &Subject<'_>,
    engine: &EngineInfo,
    container: Option<&SeenContainer>,
    wanted: &ImageSeen,
) -> Option<ImageFacts> {
    let pinned = subject.memory.image.as_ref()?;
    let same = matches!(wanted, ImageSeen::Fit(facts) if facts.id == pinned.id);
    if same || subject.wanted() != Wanted::Running {
        return None;
    }
    let held = container.is_some_and(|c| held_by(c, &pinned.id));
    if !held && matches!(tools.docker.image(&pinned.id).await, Ok(None)) {
        return None;
    }
    match by_id(tools, &pinned.id, engine).await {
        Ok(Some(ImageSeen::Fit(facts))) => Some(facts),
        _ => None,
    }
}

/// Whether the image of a container that is about to be made in the place of another is there, asked anew: what is
/// known of it, or held by the one that goes, is not enough. `None` when it is; else why not, and what was known of it
/// is forgotten where it is gone.
pub(super) async fn unseen(tools: &Tools, id: &str) -> Option<Unseen> {
    match tools.docker.image(id).await {
        Ok(Some(_)) => None,
        Ok(None) => {
            tools.forget_image(id);
            Some(Unseen::Gone)
        }
        Err(error) => Some(Unseen::Unknown(error.to_string())),
    }
}

/// See [`unseen`].
pub(super) enum Unseen {
    Gone,
    /// In the engine's words.
    Unknown(String),
}

fn seen(facts: Result<ImageFacts, Unfit>) -> ImageSeen {
    match facts {
        Ok(facts) => ImageSeen::Fit(facts),
        Err(unfit) => ImageSeen::Unfit(unfit),
    }
}

async fn look_into(
    tools: &Tools,
    image: &SeenImage,
    engine: &EngineInfo,
) -> Result<Result<ImageFacts, Unfit>, DockerError> {
    if let Some(known) = tools.image_facts(&image.id) {
        return Ok(known);
    }
    let gate = tools.image_gate(&image.id);
    let _held = gate.lock().await;
    if let Some(known) = tools.image_facts(&image.id) {
        return Ok(known);
    }
    if let Some(known) = tools.stored_image_facts(&image.id) {
        return Ok(Ok(tools.known_image(&image.id, known)));
    }
    let by_itself = facts::facts(image, &Contents::default(), &engine.architecture);
    let found = match by_itself {
        // Nothing inside can be run or trusted; what is inside does not matter then.
        Err(unfit @ (Unfit::Architecture { .. } | Unfit::Labels(_))) => Err(unfit),
        _ => facts::facts(image, &contents(tools, image).await?, &engine.architecture),
    };
    tools.remember_image(&image.id, found.clone()).await;
    Ok(found)
}

async fn contents(tools: &Tools, image: &SeenImage) -> Result<Contents, DockerError> {
    let probe = looker(&tools.installation, &tools.store.id(), &random_id(), &image.id);
    tools.set_probing(&probe.name, true);
    let mut contents = contents_by(tools, image, &probe, false).await;
    if let Ok(found) = &contents
        && found.server.is_some()
        && found.built_for.is_none()
        && facts::major_of_env(image).is_none()
    {
        let probe = DesiredContainer { entrypoint: ask_version(found), ..probe.clone() };
        contents = contents_by(tools, image, &probe, true).await;
    }
    // A labelled container that could not be removed now, or that a cut call made, is a left-over for
    // the next sweep or start.
    tools.set_probing(&probe.name, false);
    contents
}

fn ask_version(found: &Contents) -> Vec<String> {
    found.server.iter().cloned().chain(["--version".to_owned()]).collect()
}

async fn contents_by(
    tools: &Tools,
    image: &SeenImage,
    probe: &DesiredContainer,
    ask_version: bool,
) -> Result<Contents, DockerError> {
    let id = tools.docker.create(probe).await?;
    let read = read_contents(tools, image, &id, ask_version).await;
    // Also after a failure.
    let removed = tools.docker.remove_throwaway(&id).await;
    let contents = read?;
    removed?;
    Ok(contents)
}

async fn read_contents(
    tools: &Tools,
    image: &SeenImage,
    id: &str,
    ask_version: bool,
) -> Result<Contents, DockerError> {
    let docker = &tools.docker;
    let passwd = docker.get_file(id, "/etc/passwd", 256 * 1024).await?.unwrap_or_default();
    let mut found = Vec::new();
    for (tool, paths) in TOOLS {
        for path in paths {
            if docker.get_file(id, path, 1).await?.is_some() {
                found.push(tool.to_owned());
                break;
            }
        }
    }
    let [mut dpkg, mut apk] = [const { String::new() }; 2];
    for (path, text) in PACKAGES.into_iter().zip([&mut dpkg, &mut apk]) {
        let file = docker.get_file(id, path, PACKAGE_BYTES).await?.unwrap_or_default();
        *text = String::from_utf8_lossy(&file).into_owned();
    }
    let libraries = Libraries::of(&dpkg, &apk);
    // A directory is no file: only its absence is "nothing there".
    let init_scripts = match docker.get_file(id, initialisation::SCRIPTS, 1).await {
        Ok(found) => found.is_some(),
        Err(error) if error.is_unavailable() => return Err(error),
        Err(_) => true,
    };
    let mut version_output = None;
    if ask_version && docker.start(id).await.is_ok() {
        let code = docker.wait(id, Duration::from_secs(20)).await?;
        let lines = docker.logs(id, 5).await?;
        version_output = (code == 0).then(|| lines.join("\n"));
    }
    let (server, built_for) = server_programs(docker.as_ref(), image, id).await?;
    let passwd = String::from_utf8_lossy(&passwd).into_owned();
    Ok(Contents { passwd, tools: found, libraries, version_output, server, built_for, init_scripts })
}

/// Where the server's program is, and major and catalog version that it was built for. The small program
/// beside it tells the same as the big one, where it is there.
async fn server_programs(
    docker: &dyn Docker,
    image: &SeenImage,
    id: &str,
) -> Result<(Option<String>, Option<(u32, u32)>), DockerError> {
    const SMALL: usize = 1 << 20;
    const BIG: usize = 64 << 20;
    for dir in programs::dirs(image) {
        let server = format!("{dir}/postgres");
        if file(docker, id, &server, 1).await?.is_none() {
            continue;
        }
        for (program, most) in [(format!("{dir}/pg_checksums"), SMALL), (server.clone(), BIG)] {
            let program = file(docker, id, &program, most).await?.unwrap_or_default();
            if let Some(built_for) = programs::built_for(&program) {
                return Ok((Some(server), Some(built_for)));
            }
        }
        return Ok((Some(server), None));
    }
    Ok((None, None))
}

/// A file of an image; what is no file (a directory, a device, a link that leads nowhere) is none.
async fn file(
    docker: &dyn Docker,
    id: &str,
    path: &str,
    most: usize,
) -> Result<Option<Vec<u8>>, DockerError> {
    match docker.get_file(id, path, most).await {
        Err(DockerError::Refused { status, .. }) if status < 500 => Ok(None),
        answer => answer,
    }
}
