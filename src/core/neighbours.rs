//! How objects see each other: what a spec refers to, and what an object lets those see that refer to it, or that it
//! refers to. Values only: nobody reads another's record.

use super::names::ObjectRef;
use super::trouble::Trouble;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// What a spec says of other objects. It follows from the spec alone, so that it is whole before the first pass, also
/// after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// Objects without which it is nothing.
    pub refs: BTreeSet<ObjectRef>,
    /// What nobody else may have, too: `file /srv/app/.env`, `database postgres/main app`.
    pub claims: BTreeSet<String>,
    /// Files that only it writes, absolute or from the directory of the manifests. Each is a claim, however it is spelled.
    pub files: BTreeSet<String>,
    /// Those of its claims that another one may have, too, which shares them as well.
    pub shared: BTreeSet<String>,
    /// Nobody wants it: it keeps nothing from others, and hears who else makes its claims.
    pub gone: bool,
    /// It wants to know what is wrong, with all objects.
    pub listens: bool,
}

impl Ties {
    /// With the claims to its files; `manifests`: the directory of the manifests, absolute.
    #[must_use]
    pub fn at(mut self, manifests: &Path) -> Self {
        let files = std::mem::take(&mut self.files);
        self.claims.extend(files.iter().map(|path| file(&manifests.join(path))));
        self
    }
}

/// The claim to a file, by its absolute path. `.` and `..` are undone in the text alone: that two names are one by a link is
/// not seen.
#[must_use]
pub fn file(path: &Path) -> String {
    let mut steps = PathBuf::new();
    for step in path.components() {
        match step {
            Component::CurDir => {}
            Component::ParentDir => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    format!("file {}", steps.display())
}

/// What else a kind lets see, by name, in the kind's order. A list: there is one for each object, and a map of two takes
/// half a kilobyte.
pub type Said = Vec<(&'static str, String)>;

/// What several kinds say, or somebody reads who knows none of them.
pub mod offers {
    /// Which of them an object has, or gives to.
    pub const ENVIRONMENT: &str = "environment";
    /// For applications there, on the network: [`Variable`](super::super::variable::Variable)s, as JSON.
    pub const VARIABLES: &str = "variables";
    /// The same for those on this host.
    pub const HOST_VARIABLES: &str = "hostVariables";
    /// The role of the secret that belongs into them, among the secrets of the object that says it.
    pub const SECRET: &str = "secret";
    /// The object among whose secrets it is, where that is another one.
    pub const SECRET_OF: &str = "secretOf";
    /// The user of a service itself, its own database, and which password of that user's is in use, since when.
    pub const USERNAME: &str = "username";
    pub const DATABASE: &str = "database";
    pub const GENERATION: &str = "generation";
    pub const ROTATED_AT: &str = "rotatedAt";
    /// What the object that is referred to has to put in force for this one, in words of its kind; empty: nothing.
    pub const GRANT: &str = "grant";
    /// Where backups are put, or one lies: a [`Place`](super::super::storage::Place), as JSON.
    pub const PLACE: &str = "place";
    /// Of a backup that was taken: its key there.
    pub const KEY: &str = "key";
    /// Another name for the one that is a URL, where nobody else has that name.
    pub const ALIAS: &str = "alias";
}

/// What an object lets its neighbours see: the whole of what can wake them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    pub uid: String,
    /// Its Ready is True.
    pub ready: bool,
    /// Whether somebody wants it: a manifest, or its owner.
    pub present: bool,
    /// Nobody wants it, nothing of it runs, and nothing more is done: what is left of it is kept.
    pub at_rest: bool,
    /// Where it serves, and what else its kind lets see, by name.
    pub says: Said,
}

/// What is around an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// What its neighbours let see, in both directions, its owner and its children among them; one that is not there is
    /// missing.
    pub others: BTreeMap<ObjectRef, Offer>,
    /// Those of them that refer to it.
    pub referrers: BTreeSet<ObjectRef>,
    /// What it claims and another one has: claim → who has it.
    pub lost_claims: BTreeMap<String, ObjectRef>,
    /// Claim of its → all that are wanted and make it, itself among them, the oldest first; only where there is another
    /// one.
    pub beside: BTreeMap<String, Vec<ObjectRef>>,
    /// What is wrong with other objects; only for one that listens.
    pub troubles: Vec<Trouble>,
}

/// Who refers to whom, and who claims what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    ties: BTreeMap<ObjectRef, Ties>,
    /// The same from the other side.
    from: BTreeMap<ObjectRef, BTreeSet<ObjectRef>>,
    /// Claim → those who make it, with the time since when they are there: the first one has it.
    claims: BTreeMap<String, BTreeSet<(String, ObjectRef)>>,
    since: BTreeMap<ObjectRef, String>,
    /// Child → who made it.
    owners: BTreeMap<ObjectRef, ObjectRef>,
    /// The same from the other side.
    children: BTreeMap<ObjectRef, BTreeSet<ObjectRef>>,
    listeners: BTreeSet<ObjectRef>,
}

impl Offer {
    /// The first that it says by this name.
    #[must_use]
    pub fn say(&self, what: &str) -> Option<&str> {
        self.says.iter().find(|(name, _)| *name == what).map(|(_, value)| value.as_str())
    }

    /// Whether it says just this.
    #[must_use]
    pub fn has(&self, what: &str, value: &str) -> bool {
        self.says.iter().any(|(name, says)| *name == what && says == value)
    }
}

impl Graph {
    /// Whose it is from now on.
    pub fn own(&mut self, child: &ObjectRef, owner: Option<&ObjectRef>) {
        if self.owners.get(child) == owner {
            return;
        }
        if let Some(old) = self.owners.remove(child) {
            leave(&mut self.children, &BTreeSet::from([old]), child);
        }
        if let Some(owner) = owner {
            self.owners.insert(child.clone(), owner.clone());
            self.children.entry(owner.clone()).or_default().insert(child.clone());
        }
    }

    /// What bears the name of this one as its owner's: that it is that very owner is told by its uid.
    pub fn children(&self, owner: &ObjectRef) -> impl Iterator<Item = &ObjectRef> {
        self.children.get(owner).into_iter().flatten()
    }

    /// All of them, with their owners.
    pub fn owned(&self) -> impl Iterator<Item = (&ObjectRef, &ObjectRef)> {
        self.owners.iter()
    }

    /// What this object says of others from now on; `since`: when it was made (RFC 3339). Who may have to look anew for
    /// that.
    pub fn set(&mut self, object: &ObjectRef, since: &str, ties: Ties) -> BTreeSet<ObjectRef> {
        let old = self.ties.get(object).cloned().unwrap_or_default();
        if old == ties {
            return BTreeSet::new();
        }
        let mut concerned: BTreeSet<ObjectRef> = old.refs.union(&ties.refs).cloned().collect();
        if ties.listens && !ties.gone {
            self.listeners.insert(object.clone());
        } else {
            self.listeners.remove(object);
        }
        for claim in old.claims.union(&ties.claims) {
            let others = self.claims.get(claim).into_iter().flatten();
            concerned.extend(others.map(|(_, other)| other.clone()));
        }
        let was = self.since.remove(object).unwrap_or_default();
        leave(&mut self.from, &old.refs, object);
        leave(&mut self.claims, &old.claims, &(was, object.clone()));
        for to in &ties.refs {
            self.from.entry(to.clone()).or_default().insert(object.clone());
        }
        for claim in &ties.claims {
            self.claims.entry(claim.clone()).or_default().insert((since.to_owned(), object.clone()));
        }
        if ties == Ties::default() {
            self.ties.remove(object);
        } else {
            self.since.insert(object.clone(), since.to_owned());
            self.ties.insert(object.clone(), ties);
        }
        concerned.remove(object);
        concerned
    }

    /// Those that are wanted and want to know what is wrong.
    #[must_use]
    pub fn listeners(&self) -> &BTreeSet<ObjectRef> {
        &self.listeners
    }

    /// Those that refer to it.
    pub fn referrers(&self, object: &ObjectRef) -> impl Iterator<Item = &ObjectRef> {
        self.from.get(object).into_iter().flatten()
    }

    /// Those that it refers to, and those that refer to it.
    pub fn tied(&self, object: &ObjectRef) -> impl Iterator<Item = &ObjectRef> {
        let refs = self.ties.get(object).into_iter().flat_map(|ties| &ties.refs);
        refs.chain(self.referrers(object))
    }

    /// The same, with what bears the name of its owner, or this one's as its owner's.
    pub fn neighbours(&self, object: &ObjectRef) -> impl Iterator<Item = &ObjectRef> {
        self.tied(object).chain(self.owners.get(object)).chain(self.children(object))
    }

    /// What it claims and another one has, which was there before. Claim → who has it.
    #[must_use]
    pub fn lost_claims(&self, object: &ObjectRef) -> BTreeMap<String, ObjectRef> {
        let claims =
            self.ties.get(object).filter(|ties| !ties.gone).into_iter().flat_map(|ties| &ties.claims);
        let lost = claims.filter_map(|claim| {
            let first = self.wanted(claim).next()?;
            let shared = self.shares(object, claim) && self.shares(first, claim);
            (first != object && !shared).then(|| (claim.clone(), first.clone()))
        });
        lost.collect()
    }

    /// Who makes the claims that it makes, or made while it was wanted.
    #[must_use]
    pub fn beside(&self, object: &ObjectRef) -> BTreeMap<String, Vec<ObjectRef>> {
        let claims = self.ties.get(object).into_iter().flat_map(|ties| &ties.claims);
        let all = claims.map(|claim| (claim.clone(), self.wanted(claim).cloned().collect::<Vec<_>>()));
        all.filter(|(_, who)| who.iter().any(|one| one != object)).collect()
    }

    /// Those that are wanted and make this claim, the oldest first.
    fn wanted(&self, claim: &str) -> impl Iterator<Item = &ObjectRef> {
        let all = self.claims.get(claim).into_iter().flatten().map(|(_, object)| object);
        all.filter(|object| self.ties.get(object).is_some_and(|ties| !ties.gone))
    }

    fn shares(&self, object: &ObjectRef, claim: &str) -> bool {
        self.ties.get(object).is_some_and(|ties| ties.shared.contains(claim))
    }
}

fn leave<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, keys: &BTreeSet<K>, value: &V) {
    for key in keys {
        if let Some(set) = map.get_mut(key) {
            set.remove(value);
            if set.is_empty() {
                map.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_however_it_is_spelled() {
        for (path, want) in [
            ("shop.env", "/srv/m/shop.env"),
            ("./web/../shop.env", "/srv/m/shop.env"),
            ("/srv/./m//shop.env", "/srv/m/shop.env"),
            ("/srv/x/../m/shop.env", "/srv/m/shop.env"),
            ("../../../x.env", "/x.env"),
            ("web/shop.env", "/srv/m/web/shop.env"),
        ] {
            for manifests in ["/srv/m", "/srv/x/../m/."] {
                let ties = Ties { files: BTreeSet::from([path.to_owned()]), ..Ties::default() };
                let want = Ties { claims: BTreeSet::from([format!("file {want}")]), ..Ties::default() };
                assert_eq!(ties.at(Path::new(manifests)), want, "{manifests} {path}");
            }
        }
    }

    fn object(name: &str) -> ObjectRef {
        format!("postgres/{name}").parse().unwrap()
    }

    fn ties(refs: &[&str], claims: &[&str]) -> Ties {
        Ties {
            refs: refs.iter().map(|name| object(name)).collect(),
            claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
            ..Ties::default()
        }
    }

    fn names<'a>(objects: impl IntoIterator<Item = &'a ObjectRef>) -> Vec<&'a str> {
        objects.into_iter().map(|object| object.name.as_str()).collect()
    }

    #[test]
    fn both_sides_see_each_other_and_a_change_concerns_old_and_new() {
        let mut graph = Graph::default();
        assert_eq!(names(&graph.set(&object("app"), "0", ties(&["main"], &["file a"]))), ["main"]);
        assert!(graph.set(&object("app"), "0", ties(&["main"], &["file a"])).is_empty(), "nothing changed");
        assert_eq!(names(graph.neighbours(&object("main"))), ["app"]);
        assert_eq!(names(graph.neighbours(&object("app"))), ["main"]);
        let concerned = graph.set(&object("app"), "0", ties(&["other"], &["file a"]));
        assert_eq!(names(&concerned), ["main", "other"]);
        assert_eq!(graph.referrers(&object("main")).count(), 0);
        graph.set(&object("app"), "0", Ties::default());
        assert_eq!(graph, Graph::default(), "nothing is left behind");
    }

    #[test]
    fn owner_and_children_see_each_other_and_an_owner_may_change() {
        let mut graph = Graph::default();
        graph.own(&object("a"), Some(&object("x")));
        graph.own(&object("b"), Some(&object("x")));
        assert_eq!(names(graph.neighbours(&object("x"))), ["a", "b"]);
        assert_eq!(names(graph.neighbours(&object("a"))), ["x"]);
        assert_eq!(graph.referrers(&object("a")).count(), 0, "an owner does not hold what it owns");
        graph.own(&object("a"), Some(&object("y")));
        assert_eq!(
            (names(graph.children(&object("x"))), names(graph.children(&object("y")))),
            (vec!["b"], vec!["a"])
        );
        graph.own(&object("a"), None);
        graph.own(&object("b"), None);
        assert_eq!(graph, Graph::default(), "nothing is left behind");
    }

    #[test]
    fn who_listens_is_known_while_it_is_wanted() {
        let mut graph = Graph::default();
        let listens = |gone| Ties { listens: true, gone, ..Ties::default() };
        graph.set(&object("a"), "1", listens(false));
        assert_eq!(names(graph.listeners()), ["a"]);
        graph.set(&object("a"), "1", listens(true));
        assert!(graph.listeners().is_empty());
        graph.set(&object("a"), "1", Ties::default());
        assert_eq!(graph, Graph::default(), "nothing is left behind");
    }

    #[test]
    fn a_claim_has_one_owner_and_the_others_know_who() {
        let mut graph = Graph::default();
        // "b" was there first, whatever comes later and in whatever order they are read.
        for order in [["a", "b"], ["b", "a"]] {
            let mut graph = Graph::default();
            for name in order {
                let since = if name == "b" { "1" } else { "2" };
                graph.set(&object(name), since, ties(&[], &["file x", &format!("file {name}")]));
            }
            assert!(graph.lost_claims(&object("b")).is_empty());
            let lost = graph.lost_claims(&object("a"));
            assert_eq!(lost, BTreeMap::from([("file x".to_owned(), object("b"))]));
        }
        graph.set(&object("b"), "1", ties(&[], &["file x"]));
        graph.set(&object("a"), "2", ties(&[], &["file x"]));
        assert_eq!(names(&graph.set(&object("b"), "1", Ties::default())), ["a"], "it gets it now");
        assert!(graph.lost_claims(&object("a")).is_empty());
    }

    #[test]
    fn a_claim_is_shared_by_those_who_all_share_it() {
        let mut graph = Graph::default();
        let shared = |gone: bool| Ties { shared: ties(&[], &["x"]).claims, gone, ..ties(&[], &["x"]) };
        let lost = |graph: &Graph, name: &str| graph.lost_claims(&object(name)).into_values().next();
        let beside = |graph: &Graph, name: &str| -> Vec<String> {
            let all = graph.beside(&object(name)).into_values().flatten();
            all.map(|one| one.name.to_string()).collect()
        };
        graph.set(&object("c"), "1", shared(false));
        assert!(graph.beside(&object("c")).is_empty(), "it is alone");
        assert_eq!(names(&graph.set(&object("b"), "2", shared(false))), ["c"]);
        graph.set(&object("a"), "3", ties(&[], &["x"]));
        for (name, want) in [("a", Some("c")), ("b", None), ("c", None)] {
            assert_eq!(lost(&graph, name), want.map(object), "{name}");
        }
        // One that is gone keeps it from nobody, and hears of the others.
        assert_eq!(names(&graph.set(&object("c"), "1", shared(true))), ["a", "b"]);
        assert_eq!((lost(&graph, "c"), beside(&graph, "c")), (None, ["b", "a"].map(str::to_owned).to_vec()));
        assert_eq!((lost(&graph, "b"), lost(&graph, "a")), (None, Some(object("b"))));
        assert_eq!(names(&graph.set(&object("b"), "2", Ties::default())), ["a", "c"]);
        // One that has it alone shares it with nobody who comes later.
        graph.set(&object("b"), "4", shared(false));
        assert_eq!((lost(&graph, "a"), lost(&graph, "b")), (None, Some(object("a"))));
        for name in ["a", "b", "c"] {
            graph.set(&object(name), "", Ties::default());
        }
        assert_eq!(graph, Graph::default(), "nothing is left behind");
    }
}
