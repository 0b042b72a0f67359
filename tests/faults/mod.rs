//! No false green, and no false red: real servers are broken one by one. Each line of the table says what is broken, what has to be said
//! of it within a probe or two, and what becomes of it when it is mended. No other condition may say anything else than before,
//! but that it does not know.
//!
//! What is not in these files is shown elsewhere; `file::line` is a line of the table in `tests/faults/file.rs`.
//!
//! | what is broken | shown by |
//! |---|---|
//! | PostgreSQL stopped by a signal: postmaster alone, checkpointer alone | `postgres::postmaster`, `postgres::checkpointer` |
//! | out of connections; CONNECTION LIMIT 0 | `postgres::exhausted`, `postgres::nobody` |
//! | login role locked: NOLOGIN, expired; of another name; of a link; nobody left to unlock it | `hands::nologin`, `hands::expired`; `tests/real/drift.rs`, `a_locked_role_is_let_in_again_by_whoever_still_gets_in`; `tests/real/links.rs`, `what_others_change_of_a_tenant_comes_back_and_an_unlink_closes_it` |
//! | password changed; probe role changed, dropped | `postgres::locked`, `postgres::told`, `postgres::monitor` |
//! | pg_hba.conf rejects | `postgres::hba` |
//! | preload library missing: of sessions, of the server | `postgres::library`, `hands::preload` |
//! | closed database, trigger on login | `postgres::closed`, `postgres::trigger` |
//! | data directory read-only: the disk, what the container sees of it | `postgres::readonly`, `disks::inside` |
//! | disk full | `disks::full` |
//! | archive command failing, missing, hanging | `postgres::archiver`, `postgres::nowhere`, `wal::hanging` |
//! | slot inactive and growing, lost | `wal::slot`, `wal::lost` |
//! | WAL segment missing: for a slot, for a recovery | `wal::hole`, `deaths::segment` |
//! | crash loop: that answers in between, that never does | `deaths::dying`, `deaths::loop` |
//! | out of memory: the container, a backend | `deaths::oom`, `deaths::backend` |
//! | start-up in recovery, standby | `deaths::recovering`, `deaths::standby` |
//! | config file broken, illegal value | `postgres::config`, `hands::value` |
//! | pending restart | `postgres::waiting`, `hands::preload` |
//! | cap changed, container paused, network detached | `postgres::caps`, `postgres::paused`, `postgres::network` |
//! | DNS name taken by another container | `hands::name` |
//! | engine down | `tests/real/engine_away.rs` |
//! | engine hanging, slow, answering lists and not inspects | `tests/faults/engine.rs`; of the fake `tests/it/machine_wakes.rs`: `an_engine_that_gives_no_answer_is_shown_as_away_and_one_container_that_gives_none_is_not`, `steps_that_take_long_hold_up_no_change_to_another_object` |
//! | engine of which a proxy refuses a part | `tests/real/proxy.rs`; `tests/it/machine_engine.rs`, `a_proxy_that_refuses_what_every_look_needs_is_named_and_is_no_outage` |
//! | event stream cut without a FIN | `tests/it/machine_wakes.rs`, `what_a_stream_that_died_in_silence_did_not_tell_is_asked_for_with_the_next_sweep` |
//! | clock jumped | no clock of a machine is touched: `src/kinds/notifier/incident_tests.rs`, `a_clock_that_jumps_neither_hides_nor_repeats`; `src/control/history/kept_tests.rs`; `src/kinds/postgres/wal/rules_tests.rs`, a file older than now; rates and streaks go by a clock that only goes on |
//! | store disk full | `tests/real/store_trouble.rs`, `with_the_disk_full_databases_are_started_and_repaired_and_what_is_not_saved_is_marked` |
//! | image removed | while its container is there the engine keeps it; after that `tests/it/machine_engine.rs`, `an_image_that_goes_while_it_is_needed_takes_no_server_with_it` |
//! | volume mounted elsewhere | `postgres::shared` |
//! | data on an anonymous volume | `tests/real/drift.rs`, `a_container_made_by_hand_with_our_labels_is_ours_only_when_all_of_it_is` |
//! | data in the container's layer: tablespace, WAL directory | `postgres::tablespace`, `disks::walaway`, `tests/real/placement.rs` |
//! | long transaction holding back vacuum, wraparound near | `wal::held`, `postgres::wraparound` |
//! | system identifier changed under us | `disks::another` |
//! | Redis: stopped by a signal, cannot save, disk full | `redis::stopped`, `redis::misconf`, `redis::disk` |
//! | Redis: maxmemory reached, append-only file broken, gone | `redis::full`, `redis::garbled`, `redis::gone` |
//! | Redis: users' file edited | `redis::users`; `tests/real/drift.rs` |

mod deaths;
mod disks;
mod engine;
mod hands;
pub mod postgres;
mod redis;
pub mod table;
mod wal;
