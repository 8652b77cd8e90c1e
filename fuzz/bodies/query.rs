//! The reader of queries.

use waypost::wire::header::Header;
use waypost::wire::name::Name;
use waypost::wire::qname::Qname;
use waypost::wire::query::{Query, read_without_question};

/// Checks that what is read lies inside the message, and that the name reads the same again.
pub(crate) fn run(data: &[u8]) {
    let Some(header) = Header::read(data) else { return assert!(data.len() < 12) };
    let mut qname = Qname::new();
    let Ok(query) = Query::read(&header, data, &mut qname) else {
        let _ = read_without_question(&header, data);
        return;
    };
    assert_eq!(header.counts[0], 1);
    assert!(query.question_end() <= data.len());
    let wire = &data[12..12 + query.qname_len];
    assert_eq!(qname.as_wire(), wire.to_ascii_lowercase());
    let name = Name::from_wire(wire).expect("a name that was read");
    assert_eq!(name.label_count(), qname.depth());
    for depth in 0..=qname.depth() {
        let mut suffix = Qname::new();
        assert!(suffix.read(qname.suffix(depth)).is_some());
        assert_eq!((suffix.hash(depth), suffix.depth()), (qname.hash(depth), depth));
    }
    if data.len() == query.question_end() {
        assert_eq!(query.edns, None);
    }
}
