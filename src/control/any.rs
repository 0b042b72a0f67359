//! Kinds without their types: what the rest of the operator works with. The types come back in one place, for one moment
//! of one object.

use super::api::{ApiError, ErrorCode, Result as ApiResult};
use super::children::Supposed;
use super::inspect::{Asked, diagnose, end, inspect};
use super::memory::Memory;
use super::objects::Record;
use super::operator::Operator;
use super::pass::{Again, pass};
use super::preview::{Planned, preview};
use super::probes::prove;
use crate::core::diagnosis::Check;
use crate::core::identity::Home;
use crate::core::member::Role;
use crate::core::names::{Kind, ObjectRef};
use crate::core::neighbours::Ties;
use crate::core::plan::PlanView;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::SeenContainer;
use crate::core::table::Table;
use crate::docker::{Docker, DockerError};
use crate::kinds::{
    About, Ask, Context, Each, End, Ended, Found, Inspections, Login, Probed, Reconciler, Unanswered,
};
use crate::workload;
use crate::workload::catalog::Catalog;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A spec whose every field is legal, of any kind. It is kept, not made anew from the manifest when it is needed: what was
/// legal when it came may not be any more, and is carried on.
#[derive(Clone)]
pub struct Spec(Arc<dyn AnySpec>);

trait AnySpec: Send + Sync {
    fn each(&self) -> Each<&workload::Checked>;
    fn given_up(&self) -> bool;
    fn password_is_elsewhere(&self) -> Option<(String, String)>;
    fn outlived_by(&self) -> Option<String>;
    fn same(&self, other: &dyn AnySpec) -> bool;
    fn extend(&self, catalogs: &mut BTreeMap<Kind, Catalog>);
    fn ties(&self) -> Ties;
    fn any(&self) -> &dyn Any;
    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

struct Of<R: Reconciler>(R::Checked);

impl<R: Reconciler> AnySpec for Of<R> {
    fn each(&self) -> Each<&workload::Checked> {
        R::containers(&self.0)
    }

    fn given_up(&self) -> bool {
        R::given_up(&self.0)
    }

    fn password_is_elsewhere(&self) -> Option<(String, String)> {
        R::password_is_elsewhere(&self.0)
    }

    fn outlived_by(&self) -> Option<String> {
        R::outlived_by(&self.0)
    }

    fn same(&self, other: &dyn AnySpec) -> bool {
        other.any().downcast_ref::<Self>().is_some_and(|other| other.0 == self.0)
    }

    fn extend(&self, catalogs: &mut BTreeMap<Kind, Catalog>) {
        R::name_images(&self.0, catalogs);
    }

    fn ties(&self) -> Ties {
        R::ties(&self.0)
    }

    fn any(&self) -> &dyn Any {
        self
    }

    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Spec {
    pub fn of<R: Reconciler>(checked: R::Checked) -> Self {
        Self(Arc::new(Of::<R>(checked)))
    }

    /// What is wanted of its containers.
    #[must_use]
    pub fn each(&self) -> Each<&workload::Checked> {
        self.0.each()
    }

    /// What is wanted of the object as a whole, which any of them tells.
    #[must_use]
    pub fn work(&self) -> Option<&workload::Checked> {
        self.each().first().map(|(_, work)| *work)
    }

    /// The manifest says that the data may go with it, and the user agreed by name.
    #[must_use]
    pub fn given_up(&self) -> bool {
        self.0.given_up()
    }

    /// Whose its password is, if it is not Seawall's to choose, and where to change it.
    #[must_use]
    pub fn password_is_elsewhere(&self) -> Option<(String, String)> {
        self.0.password_is_elsewhere()
    }

    /// What stays of its data when it is deleted, if it does not have them to itself.
    #[must_use]
    pub fn outlived_by(&self) -> Option<String> {
        self.0.outlived_by()
    }

    /// Puts the images that it names over those in `catalogs`.
    pub fn extend(&self, catalogs: &mut BTreeMap<Kind, Catalog>) {
        self.0.extend(catalogs);
    }

    /// What it says of other objects.
    #[must_use]
    pub fn ties(&self) -> Ties {
        self.0.ties()
    }

    /// `None`: it is of another kind.
    #[must_use]
    pub fn typed<R: Reconciler>(&self) -> Option<&R::Checked> {
        self.0.any().downcast_ref::<Of<R>>().map(|of| &of.0)
    }
}

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.same(other.0.as_ref())
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(f)
    }
}

/// A kind, in values that everybody knows.
pub trait AnyKind: Send + Sync {
    fn about(&self) -> About;

    /// # Errors
    /// With every problem found.
    fn check(&self, document: &Document, context: &Context<'_>) -> Result<Spec, Vec<Problem>>;

    fn warnings(&self, document: &Document, spec: &Spec) -> Vec<Problem>;

    /// # Errors
    /// When the memory cannot be read.
    fn handed_over(&self, memory: &Memory, home: Home) -> Result<Memory, String>;

    /// The one of its containers that is meant where one is.
    fn serves(&self, memory: &Memory) -> Role;

    /// # Errors
    /// When the memory cannot be read.
    fn login(&self, record: &Record, spec: Option<&Spec>) -> ApiResult<Option<Login>>;

    fn pass<'a>(
        &'a self,
        operator: &'a Arc<Operator>,
        object: &'a ObjectRef,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Again>;

    /// The plan of an object as it would be, after those before it.
    fn preview<'a>(
        &'a self,
        operator: &'a Operator,
        supposed: &'a Supposed,
        record: &'a Record,
        spec: &'a Spec,
        before: &'a mut Planned,
    ) -> BoxFuture<'a, PlanView>;

    fn prove<'a>(&'a self, operator: &'a Operator, object: &'a ObjectRef) -> BoxFuture<'a, Probed>;

    /// What its probes found last: fields of `status`.
    fn sampled(&self, object: &ObjectRef) -> Map<String, Value>;

    /// What can be asked of its servers.
    fn inspections(&self) -> Option<&'static Inspections>;

    fn inspect<'a>(
        &'a self,
        operator: &'a Operator,
        asked: Asked,
        ask: &'a Ask,
    ) -> BoxFuture<'a, Result<Table, Unanswered>>;

    fn end<'a>(
        &'a self,
        operator: &'a Operator,
        asked: Asked,
        end: &'a End,
    ) -> BoxFuture<'a, Result<Ended, Unanswered>>;

    /// Of its server; nothing where none runs.
    fn diagnose<'a>(
        &'a self,
        operator: &'a Operator,
        asked: Asked,
        status: &'a Value,
    ) -> BoxFuture<'a, Vec<Check>>;

    fn forget(&self, object: &ObjectRef);

    /// What lies on a volume, read through a container that has it at `root`; `own`: it is the object's.
    fn look_at_data<'a>(
        &'a self,
        docker: &'a dyn Docker,
        container: &'a str,
        root: &'a str,
        own: Option<&'a SeenContainer>,
    ) -> BoxFuture<'a, Result<Option<Found>, DockerError>>;

    /// What can be remembered of a container and data that are still there.
    fn recovered(&self, work: workload::Memory, own: Option<&SeenContainer>, found: Option<&Found>)
    -> Memory;

    /// What can be remembered of containers that were there before their object; `None`: nothing.
    fn adopted(&self, spec: &Spec, containers: &Each<SeenContainer>, local: Option<&str>) -> Option<Memory>;

    /// Each of its containers has a volume of its own for data.
    fn keeps_data(&self) -> bool;

    /// The fields of a spec that keep such a container as it is, beside those that every kind has.
    fn recovered_spec(&self, own: Option<&SeenContainer>, found: Option<&Found>) -> Map<String, Value>;
}

/// A kind with its adapters, or, where nothing is looked at, without.
pub(super) struct Erased<R>(pub Option<R>);

impl<R: Reconciler> AnyKind for Erased<R> {
    fn about(&self) -> About {
        R::ABOUT
    }

    fn check(&self, document: &Document, context: &Context<'_>) -> Result<Spec, Vec<Problem>> {
        R::check(document, context).map(Spec::of::<R>)
    }

    fn warnings(&self, document: &Document, spec: &Spec) -> Vec<Problem> {
        spec.typed::<R>().map(|checked| R::warnings(document, checked)).unwrap_or_default()
    }

    fn handed_over(&self, memory: &Memory, home: Home) -> Result<Memory, String> {
        Memory::of(&R::handed_over(memory.read()?, home))
    }

    fn serves(&self, memory: &Memory) -> Role {
        memory.read().map(|memory| R::serves(&memory)).unwrap_or_default()
    }

    fn login(&self, record: &Record, spec: Option<&Spec>) -> ApiResult<Option<Login>> {
        let memory = record.memory.read().map_err(|why| {
            let what = format!("what is remembered of {} cannot be read: {why}", record.object);
            ApiError::new(ErrorCode::Internal, what, "seawall doctor")
        })?;
        Ok(R::login(&record.document(), spec.and_then(Spec::typed::<R>), &memory))
    }

    fn pass<'a>(
        &'a self,
        operator: &'a Arc<Operator>,
        object: &'a ObjectRef,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Again> {
        Box::pin(async move {
            match &self.0 {
                Some(kind) => pass(kind, operator, object, cancel).await,
                None => None,
            }
        })
    }

    fn preview<'a>(
        &'a self,
        operator: &'a Operator,
        supposed: &'a Supposed,
        record: &'a Record,
        spec: &'a Spec,
        before: &'a mut Planned,
    ) -> BoxFuture<'a, PlanView> {
        Box::pin(async move {
            match &self.0 {
                Some(kind) => preview(kind, operator, supposed, record, spec, before).await,
                None => PlanView::default(),
            }
        })
    }

    fn prove<'a>(&'a self, operator: &'a Operator, object: &'a ObjectRef) -> BoxFuture<'a, Probed> {
        Box::pin(async move {
            match &self.0 {
                Some(kind) => prove(kind, operator, object).await,
                None => Probed::Same,
            }
        })
    }

    fn sampled(&self, object: &ObjectRef) -> Map<String, Value> {
        self.0.as_ref().map(|kind| kind.sampled(object)).unwrap_or_default()
    }

    fn inspections(&self) -> Option<&'static Inspections> {
        R::INSPECTIONS
    }

    fn inspect<'a>(
        &'a self,
        operator: &'a Operator,
        asked: Asked,
        ask: &'a Ask,
    ) -> BoxFuture<'a, Result<Table, Unanswered>> {
        Box::pin(inspect(self.0.as_ref(), operator, asked, ask))
    }

    fn end<'a>(
        &'a self,
        operator: &'a Operator,
        asked: Asked,
        what: &'a End,
    ) -> BoxFuture<'a, Result<Ended, Unanswered>> {
        Box::pin(end(self.0.as_ref(), operator, asked, what))
    }

    fn diagnose<'a>(
        &'a self,
        operator: &'a Operator,
        asked: Asked,
        status: &'a Value,
    ) -> BoxFuture<'a, Vec<Check>> {
        Box::pin(diagnose(self.0.as_ref(), operator, asked, status))
    }

    fn forget(&self, object: &ObjectRef) {
        if let Some(kind) = &self.0 {
            kind.forget(object);
        }
    }

    fn look_at_data<'a>(
        &'a self,
        docker: &'a dyn Docker,
        container: &'a str,
        root: &'a str,
        own: Option<&'a SeenContainer>,
    ) -> BoxFuture<'a, Result<Option<Found>, DockerError>> {
        Box::pin(R::look_at_data(docker, container, root, own))
    }

    fn recovered(
        &self,
        work: workload::Memory,
        own: Option<&SeenContainer>,
        found: Option<&Found>,
    ) -> Memory {
        Memory::of(&R::recovered(work, own, found)).unwrap_or_default()
    }

    fn adopted(&self, spec: &Spec, containers: &Each<SeenContainer>, local: Option<&str>) -> Option<Memory> {
        Memory::of(&R::adopted(spec.typed::<R>()?, containers, local)?).ok()
    }

    fn keeps_data(&self) -> bool {
        R::KEEPS_DATA
    }

    fn recovered_spec(&self, own: Option<&SeenContainer>, found: Option<&Found>) -> Map<String, Value> {
        R::recovered_spec(own, found)
    }
}
