//! The store: collecting, verifying, places.

use std::fs;

use super::pinned;
use super::plain;

#[test]
fn an_empty_store_has_nothing_to_remove_and_is_well() {
    let world = pinned();
    insta::assert_snapshot!(plain(&world.engine("gc --dry-run")), @"
    exit code: 0
    --- stdout
    would remove: 0 records, 0 blobs of 0 B, 0 unpacked trees
    kept: 0 records, 0 blobs
    --- stderr
    store: [WORLD]/store, [SIZE]
    ");
    insta::assert_snapshot!(plain(&world.engine("gc --keep-runs 1")), @"
    exit code: 0
    --- stdout
    removed: 0 records, 0 blobs of 0 B, 0 unpacked trees
    kept: 0 records, 0 blobs
    --- stderr
    store: [WORLD]/store, [SIZE]
    ");
    insta::assert_snapshot!(plain(&world.engine("verify")), @"
    exit code: 0
    --- stdout
    verified 0 blobs of 0 B and 0 records: all is well
    ");
    insta::assert_snapshot!(plain(&world.engine("verify --repair")), @"
    exit code: 0
    --- stdout
    verified 0 blobs of 0 B and 0 records: all is well
    ");
}

#[test]
fn a_lost_database_and_a_bad_blob_are_told() {
    let world = pinned();
    world.make_up("");
    {
        let store = store::Store::open(&world.path("store")).unwrap();
        let blob = store.put_bytes(b"good").unwrap();
        fs::set_permissions(
            store.blob_path(&blob),
            std::os::unix::fs::PermissionsExt::from_mode(0o644),
        )
        .unwrap();
        fs::write(store.blob_path(&blob), b"evil").unwrap();
    }
    fs::write(world.path("store/db.sqlite"), "x").unwrap();
    insta::assert_snapshot!(plain(&world.engine("verify")), @"
    exit code: 3
    --- stdout
    damaged: blob `[KEY]`: its content hashes to `[KEY]`
    verified 36 blobs of [SIZE] and 15 records: damaged
    --- stderr
    the database of the store was made again (it was missing): 15 records back
    next: `engine verify --repair`
    ");
    insta::assert_snapshot!(plain(&world.engine("verify --repair")), @"
    exit code: 0
    --- stdout
    damaged: blob `[KEY]`: its content hashes to `[KEY]`
    verified 36 blobs of [SIZE] and 15 records: repaired; the next run makes again what is missing
    ");
    insta::assert_snapshot!(plain(&world.engine("verify")), @"
    exit code: 0
    --- stdout
    verified 35 blobs of [SIZE] and 15 records: all is well
    ");
}

#[test]
fn a_newer_store_is_the_environments_fault() {
    let world = pinned();
    world.engine("verify");
    fs::write(world.path("store/format"), "99\n").unwrap();
    insta::assert_snapshot!(world.engine("results"), @"
    exit code: 3
    --- stderr
    error: the store `[WORLD]/store` has format 99, but this program knows formats up to 1
      = help: use the engine that wrote it, or name another store with `--store`
    ");
}

#[test]
fn without_a_home_there_is_no_place_for_results() {
    let world = pinned();
    let mut command = world.command(&["results"]);
    insta::assert_snapshot!(world.run(command.env_remove("HOME").env_remove("ENGINE_STORE")), @"
    exit code: 3
    --- stderr
    error: there is no place for results: `$HOME` is not set
      = help: `--store DIR` names a place
    ");
    let ended = world.run(
        world
            .command(&["results", "--store", "here"])
            .env_remove("HOME"),
    );
    assert_eq!(ended.code, Some(0));
    assert!(world.path("project/here/format").is_file());
}
