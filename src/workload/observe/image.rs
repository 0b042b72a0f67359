//! What is in an image. Known once, known for good: ids stand for contents.
//!
//! Looking takes a throw-away container, labelled as such. Must never start it unless the kind has no other way to find
//! out, and never leave it behind.

use crate::core::desired::DesiredContainer;
use crate::core::seen::{EngineInfo, SeenContainer, SeenImage};
use crate::core::will::Wanted;
use crate::docker::{Docker, DockerError};
use crate::secrets::random_id;
use crate::store::Store as _;
use crate::workload::desired::looker;
use crate::workload::image::{Facts, ImageSeen, Unfit, usable};
use crate::workload::tools::Tools;
use crate::workload::{Case, World};
use async_trait::async_trait;
use std::sync::Arc;

/// How a kind finds out about an image.
#[async_trait]
pub trait LookInto: Facts {
    /// What this image is, or why it cannot be used. `looker`: makes the throw-away containers to look with.
    async fn find(looker: &Looker<'_>, image: &SeenImage) -> Result<Result<Self, Unfit>, DockerError>;
}

/// Looks into one image.
pub struct Looker<'a> {
    tools: &'a Tools,
    image: &'a SeenImage,
}

impl Looker<'_> {
    /// Has `look` read from a throw-away container of the image, which ends at once if it is started: with this entry
    /// point, or with nothing to do. The container goes also after a failure.
    ///
    /// # Errors
    /// Those of `look`, and when the container could not be made or removed.
    pub async fn look<T, L: Future<Output = Result<T, DockerError>>>(
        &self,
        entrypoint: Option<Vec<String>>,
        look: impl FnOnce(Arc<dyn Docker>, String) -> L,
    ) -> Result<T, DockerError> {
        let tools = self.tools;
        let mut probe = looker(&tools.installation, &tools.store.id(), &random_id(), &self.image.id);
        if let Some(entrypoint) = entrypoint {
            probe = DesiredContainer { entrypoint, ..probe };
        }
        // A labelled container that could not be removed now, or that a cut call made, is a left-over for
        // the next sweep or start.
        tools.set_probing(&probe.name, true);
        let looked = through(tools, &probe, look).await;
        tools.set_probing(&probe.name, false);
        looked
    }
}

async fn through<T, L: Future<Output = Result<T, DockerError>>>(
    tools: &Tools,
    probe: &DesiredContainer,
    look: impl FnOnce(Arc<dyn Docker>, String) -> L,
) -> Result<T, DockerError> {
    let id = tools.docker.create(probe).await?;
    let looked = look(Arc::clone(&tools.docker), id.clone()).await;
    let removed = tools.docker.remove_throwaway(&id).await;
    let looked = looked?;
    removed?;
    Ok(looked)
}

/// The image that is wanted: the pinned one while the manifest names the same reference and it is local.
/// Whatever goes wrong is said of the image alone, a cut connection too: the rest of the object is looked after all
/// the same, and an engine that is away is told by the look at the container.
pub async fn wanted<F: LookInto>(tools: &Tools, case: &Case<'_>, engine: &EngineInfo) -> ImageSeen<F> {
    match image(tools, case, engine).await {
        Ok(image) => image,
        // It went away between two looks.
        Err(DockerError::ImageMissing { .. }) => ImageSeen::Missing,
        Err(error) => unknown(&error),
    }
}

fn unknown<F>(error: &DockerError) -> ImageSeen<F> {
    let refused = matches!(error, DockerError::Refused { status, .. } if (400..500).contains(status));
    ImageSeen::Unknown { words: error.to_string(), refused }
}

async fn image<F: LookInto>(
    tools: &Tools,
    case: &Case<'_>,
    engine: &EngineInfo,
) -> Result<ImageSeen<F>, DockerError> {
    let reference = case.spec.image.as_str();
    if let Some(pinned) = case.memory.image.as_ref().filter(|p| p.reference == reference)
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
async fn by_id<F: LookInto>(
    tools: &Tools,
    id: &str,
    engine: &EngineInfo,
) -> Result<Option<ImageSeen<F>>, DockerError> {
    if let Some(known) = tools.image_facts::<F>(id) {
        return Ok(Some(seen(known)));
    }
    match tools.docker.image(id).await {
        Ok(None) => Ok(None),
        Ok(Some(image)) => Ok(Some(seen(look_into(tools, &image, engine).await?))),
        Err(error) => match tools.stored_image_facts(id) {
            Some(known) => {
                let known = Ok(known);
                tools.know_image(id, &known);
                Ok(Some(seen(known)))
            }
            None => Err(error),
        },
    }
}

/// The image of this id, where it is local and can be used.
pub async fn local<F: LookInto>(tools: &Tools, id: &str, engine: &EngineInfo) -> Option<F> {
    match tools.docker.image(id).await {
        Ok(Some(_)) => by_id(tools, id, engine).await.ok().flatten()?.fit().cloned(),
        Ok(None) | Err(_) => None,
    }
}

/// A container that runs holds its image: nobody can remove it.
fn held_by(c: &SeenContainer, id: &str) -> bool {
    c.image_id == id && c.state.is_up()
}

/// What is known of an image from before says nothing about its being there: nothing is removed for the
/// sake of a successor that cannot be made.
pub async fn still_local<F: LookInto>(
    tools: &Tools,
    case: &Case<'_>,
    engine: &EngineInfo,
    c: &SeenContainer,
    image: ImageSeen<F>,
) -> ImageSeen<F> {
    let ImageSeen::Fit(facts) = &image else { return image };
    if held_by(c, &facts.image().id) || case.wanted() != Wanted::Running {
        return image;
    }
    match tools.docker.image(&facts.image().id).await {
        Ok(Some(_)) => image,
        Ok(None) => {
            tools.forget_image(&facts.image().id);
            wanted(tools, case, engine).await
        }
        Err(error) => unknown(&error),
    }
}

/// The image in use, while the wanted one is another or not known: what is there goes on with it until the other can
/// be used. `None` when it is the same, or nothing could be made from it.
pub async fn pinned<F: LookInto>(
    tools: &Tools,
    case: &Case<'_>,
    engine: &EngineInfo,
    container: Option<&SeenContainer>,
    wanted: &ImageSeen<F>,
) -> Option<F> {
    let pinned = case.memory.image.as_ref()?;
    let same = matches!(wanted, ImageSeen::Fit(facts) if facts.image().id == pinned.id);
    if same || case.wanted() != Wanted::Running {
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
pub async fn unseen(tools: &Tools, id: &str) -> Option<Unseen> {
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
pub enum Unseen {
    Gone,
    /// In the engine's words.
    Unknown(String),
}

fn seen<F>(facts: Result<F, Unfit>) -> ImageSeen<F> {
    match facts {
        Ok(facts) => ImageSeen::Fit(facts),
        Err(unfit) => ImageSeen::Unfit(unfit),
    }
}

async fn look_into<F: LookInto>(
    tools: &Tools,
    image: &SeenImage,
    engine: &EngineInfo,
) -> Result<Result<F, Unfit>, DockerError> {
    if let Some(known) = tools.image_facts(&image.id) {
        return Ok(known);
    }
    let gate = tools.image_gate(&image.id);
    let _held = gate.lock().await;
    if let Some(known) = tools.image_facts(&image.id) {
        return Ok(known);
    }
    if let Some(known) = tools.stored_image_facts(&image.id) {
        let known = Ok(known);
        tools.know_image(&image.id, &known);
        return Ok(known);
    }
    // Nothing inside can be run or trusted where this forbids it; what is inside does not matter then.
    let found = match usable(image, &engine.architecture) {
        Ok(()) => F::find(&Looker { tools, image }, image).await?,
        Err(unfit) => Err(unfit),
    };
    tools.remember_image(&image.id, &found).await;
    Ok(found)
}

/// An image that was taken up before its command was kept goes on without.
pub fn without_old_commands<F: Facts>(case: &Case<'_>, world: &mut World<F>) {
    let wanted = match &mut world.image {
        ImageSeen::Fit(image) => Some(image),
        _ => None,
    };
    for image in wanted.into_iter().chain(world.pinned.as_mut()) {
        if !case.memory.keeps_command_of(&image.image().id) {
            image.image_mut().cmd.clear();
        }
    }
}
