use super::*;
use std::io::Read;

/// Joins the parts, as a layer does with its own format.
fn joined(capture: &Capture, to: &mut dyn Write) -> io::Result<()> {
    capture.parts().iter().try_for_each(|part| io::copy(&mut part.reader(), to).map(drop))
}

const FORMAT: CaptureFormat = CaptureFormat { write: joined, media_type: "text/plain", extension: "txt" };

fn store(folder: Option<PathBuf>) -> Arc<CaptureStore> {
    Arc::new(CaptureStore::new("mcp-test", Some(FORMAT), folder))
}

fn points(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

fn text(part: &CapturePart) -> String {
    let mut text = String::new();
    part.reader().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn what_arrived_is_kept_when_the_call_is_dropped() {
    let store = store(None);
    let running = store.begin("packets", &points(&["a", "b"]), 100).unwrap();
    let id = running.capture().id().to_owned();
    running.capture().parts()[0].put(b"half").unwrap();
    assert!(store.find(&id).unwrap().is_running());
    drop(running);
    let kept = store.find(&id).unwrap();
    assert!(!kept.is_running());
    assert_eq!((text(&kept.parts()[0]).as_str(), text(&kept.parts()[1]).as_str()), ("half", ""));
    assert_eq!(store.of_uri(&store.uri(&id)).unwrap().unwrap().id(), id);
    assert!(store.of_uri("evidence://mcp-test/1").is_none());
}

#[tokio::test]
async fn a_part_keeps_the_bytes_up_to_its_limit_and_says_that_it_is_full() {
    let store = store(None);
    let running = store.begin("packets", &points(&["a"]), 6).unwrap();
    let part = &running.capture().parts()[0];
    assert!(part.put(b"1234").unwrap());
    assert!(!part.is_full());
    assert!(!part.put(b"5678").unwrap());
    part.filled().await;
    assert_eq!((text(part).as_str(), part.len()), ("123456", 6));
}

#[test]
fn old_captures_make_room_and_running_ones_do_not() {
    let store = store(None);
    let first = store.begin("first", &points(&["a"]), 1).unwrap();
    let id = first.capture().id().to_owned();
    let running: Vec<_> =
        (1..MAX_CAPTURES).map(|_| store.begin("next", &points(&["a"]), 1).unwrap()).collect();
    let refused = store.begin("one too many", &points(&["a"]), 1).unwrap_err().report();
    assert!(refused.contains("16 captures run"), "{refused}");
    drop(first);
    store.begin("now it fits", &points(&["a"]), 1).unwrap();
    let gone = store.find(&id).unwrap_err().report();
    assert!(
        gone.contains("is gone: newer captures needed its room") && gone.contains("Capture again"),
        "{gone}"
    );
    assert!(store.find("0").unwrap_err().report().contains("no capture of this server is named `0`"));
    drop(running);
    let most = store.begin("large", &points(&["a", "b"]), MAX_BYTES / 2).unwrap();
    assert!(store.list().iter().all(|capture| capture.id() == most.capture().id() || capture.is_empty()));
    let refused = store.begin("another", &points(&["a"]), 1).unwrap_err().report();
    assert!(refused.contains("more than 512 MiB"), "{refused}");
}

#[test]
fn the_operator_keeps_captures_in_a_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = store(Some(folder.path().to_owned()));
    let running = store.begin("packets", &points(&["a", "b"]), 100).unwrap();
    running.capture().parts()[0].put(b"one ").unwrap();
    running.capture().parts()[1].put(b"two").unwrap();
    let path = running.end().unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one two");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "the dropped capture is not saved twice"
    );
    drop(store.begin("cancelled", &points(&["a"]), 100).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "a cancelled capture is saved too");
}
