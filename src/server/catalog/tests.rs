use std::fs;

use tempfile::TempDir;

use super::super::lock::Lock;
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A zone directory, with kept zones beside it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.zones()).unwrap();
        place
    }

    fn zones(&self) -> PathBuf {
        self.0.path().join("zones")
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.zones().join(file);
        fs::write(&path, text).unwrap();
        path
    }

    /// Returns a catalog such as a process has when it starts.
    fn catalog(&self) -> Catalog {
        let lock = Arc::new(Lock::new(self.0.path().join("states")));
        Catalog::new(Loader::new(self.zones()), KeptSources::beside(Some(lock)))
    }
}

fn zone(origin: &str) -> String {
    format!("zone = \"{origin}\"\nnameservers = [\"ns.example.net.\"]\n")
}

fn update(catalog: &mut Catalog, after: Duration) -> Update {
    catalog.update(&|_| false, Moment::at(after))
}

/// Returns the names of the served zones, with `!` after a zone without data.
fn served(catalog: &Catalog) -> Vec<String> {
    let mark = |served: &Served| if served.zone.is_absent() { "!" } else { "" };
    catalog.served().iter().map(|(name, served)| format!("{name}{}", mark(served))).collect()
}

#[test]
fn a_refused_file_is_told_once_and_then_every_hour_until_it_is_mended() {
    let place = Place::new();
    place.write("a.toml", &zone("a.example"));
    let path = place.write("b.toml", &zone("b.example"));
    let mut catalog = place.catalog();
    assert_eq!(update(&mut catalog, Duration::ZERO).refused, []);
    fs::write(&path, "zone =").unwrap();
    let told = update(&mut catalog, HOUR);
    assert_eq!(told.refused, [(path.clone(), Instead::Before)]);
    assert!(!told.diagnostics.is_empty());
    let again = update(&mut catalog, HOUR + HOUR / 2);
    assert!(again.refused.is_empty() && again.diagnostics.is_empty(), "{again:?}");
    let mut due = |after: Duration| catalog.due(Moment::at(after));
    assert_eq!(due(2 * HOUR - Duration::from_secs(1)), []);
    assert_eq!(due(2 * HOUR), [(path.clone(), Instead::Before, HOUR)]);
    assert_eq!(due(2 * HOUR + HOUR / 2), []);
    assert_eq!(due(3 * HOUR), [(path.clone(), Instead::Before, 2 * HOUR)]);
    fs::write(&path, zone("b.example")).unwrap();
    assert_eq!(update(&mut catalog, 3 * HOUR).mended, [path]);
    assert_eq!(catalog.due(Moment::at(9 * HOUR)), []);
}

#[test]
fn after_a_restart_a_zone_is_what_it_last_was_if_it_ever_was_good() {
    let place = Place::new();
    place.write("a.toml", &zone("a.example"));
    let path = place.write("b.toml", &zone("b.example"));
    let mut catalog = place.catalog();
    update(&mut catalog, Duration::ZERO);
    catalog.finish(HOUR);
    fs::write(&path, "zone = 1").unwrap();
    let new = place.write("c.example.zone", "nonsense\n");
    let mut catalog = place.catalog();
    let told = update(&mut catalog, Duration::ZERO);
    assert_eq!(told.refused, [(path, Instead::Kept), (new, Instead::Nothing)]);
    assert_eq!(served(&catalog), ["a.example.", "b.example.", "c.example.!"]);
    // The form is still the same: the log has it already.
    assert_eq!(update(&mut catalog, HOUR).refused, []);
    catalog.finish(HOUR);
}

#[test]
fn a_directory_that_is_gone_costs_no_zone_and_one_that_is_empty_takes_up_none() {
    let place = Place::new();
    place.write("a.toml", &zone("a.example"));
    let mut catalog = place.catalog();
    update(&mut catalog, Duration::ZERO);
    let aside = place.0.path().join("aside");
    fs::rename(place.zones(), &aside).unwrap();
    let told = update(&mut catalog, HOUR);
    assert!(told.is_refused && told.is_bare && !told.is_readable, "{told:?}");
    assert_eq!(served(&catalog), ["a.example."]);
    catalog.finish(HOUR);
    let mut catalog = place.catalog();
    update(&mut catalog, Duration::ZERO);
    assert_eq!(served(&catalog), ["a.example."]);
    let zone_before = Arc::clone(&catalog.zones()[0]);
    update(&mut catalog, HOUR);
    assert!(Arc::ptr_eq(&zone_before, &catalog.zones()[0]), "it is compiled once");
    catalog.finish(HOUR);
    fs::create_dir(place.zones()).unwrap();
    let mut catalog = place.catalog();
    let told = update(&mut catalog, Duration::ZERO);
    assert!(told.is_bare && told.is_readable, "{told:?}");
    assert!(catalog.served().is_empty());
}

#[test]
fn no_zone_is_removed_while_a_broken_file_may_hold_it_under_a_new_name() {
    let place = Place::new();
    place.write("a.toml", &zone("a.example"));
    let path = place.write("b.toml", &zone("b.example"));
    let mut catalog = place.catalog();
    update(&mut catalog, Duration::ZERO);
    fs::remove_file(&path).unwrap();
    let moved = place.write("moved.toml", "[records");
    update(&mut catalog, HOUR);
    assert!(served(&catalog).contains(&"b.example.".to_owned()));
    fs::remove_file(moved).unwrap();
    update(&mut catalog, HOUR);
    assert_eq!(served(&catalog), ["a.example."]);
}

#[test]
fn a_zone_whose_tests_fail_from_the_start_is_served_and_told_once() {
    let place = Place::new();
    let failing = |address: &str| {
        let records = format!("[records]\nwww = {{ A = \"{address}\" }}\n");
        let test = "[[tests]]\nquery = \"www A\"\nexpect = { exactly = \"192.0.2.9\" }\n";
        zone("a.example") + &records + test
    };
    let path = place.write("a.toml", &failing("192.0.2.1"));
    let mut catalog = place.catalog();
    let told = update(&mut catalog, Duration::ZERO);
    assert_eq!(told.refused, [(path.clone(), Instead::Itself)], "{:?}", told.diagnostics);
    assert_eq!(update(&mut catalog, HOUR).refused, []);
    // The zone that is served is not the one in the file now.
    let before = catalog.zones();
    fs::write(&path, failing("192.0.2.2")).unwrap();
    assert_eq!(update(&mut catalog, HOUR).refused, [(path, Instead::Before)]);
    assert!(Arc::ptr_eq(&before[0], &catalog.zones()[0]));
    catalog.finish(HOUR);
}
