//! Who asks, for as long as the answer is made. It is said once, where the request comes in, and goes with the work through
//! the tasks that it makes: so no call between them has to hand it on, and none can forget to.

use crate::core::access::Caller;

tokio::task_local! {
    static CALLER: Caller;
}

/// `work` as this caller asks for it.
pub async fn asked_by<F: Future>(caller: Caller, work: F) -> F::Output {
    CALLER.scope(caller, work).await
}

/// `None`: nobody asked.
pub fn asking() -> Option<Caller> {
    CALLER.try_with(Clone::clone).ok()
}

/// `work` for another task: whoever asks here asks there.
pub fn handed_on<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let caller = asking();
    async move {
        match caller {
            Some(caller) => asked_by(caller, work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_is_known_as_long_as_the_work_takes_and_in_its_tasks() {
        let name = || asking().map(|caller| caller.name);
        assert_eq!(name(), None);
        let work = async {
            let plain = tokio::spawn(async move { name() }).await.unwrap();
            let handed = tokio::spawn(handed_on(async move { name() })).await.unwrap();
            (name(), plain, handed)
        };
        let root = || Some("uid 0 (root)".to_owned());
        assert_eq!(asked_by(Caller::user(0), work).await, (root(), None, root()));
        assert_eq!(handed_on(async move { name() }).await, None);
    }
}
