//! The little of XML-RPC that LAVA's older interface is asked by.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument<'a> {
    Text(&'a str),
    EmptyList,
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A value, which nobody here looks into.
    Value,
    /// A fault with its code and words.
    Fault(i64, String),
}

/// The XML of a call.
pub(super) fn call(method: &str, arguments: &[Argument<'_>]) -> String {
    let arguments = arguments.iter().map(|argument| match argument {
        Argument::Text(text) => format!("<string>{}</string>", escape(*text)),
        Argument::EmptyList => "<array><data></data></array>".to_owned(),
    });
    let params = arguments.fold(String::new(), |params, value| {
        params + "<param><value>" + value.as_str() + "</value></param>"
    });
    format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>{}</methodName><params>{params}</params></methodCall>",
        escape(method)
    )
}

/// Reads an answer; `None` where it is none.
pub(super) fn answer(body: &[u8]) -> Option<Answer> {
    let mut reader = Reader::from_reader(body);
    let mut buffer = Vec::new();
    let (mut path, mut fault) = (Vec::new(), false);
    let (mut name, mut code, mut words) = (String::new(), None, String::new());
    let mut answered = false;
    loop {
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(start) => {
                let tag = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                answered |= tag == "methodResponse";
                fault |= tag == "fault";
                path.push(tag);
            }
            Event::End(_) => {
                path.pop();
            }
            Event::Text(text) => {
                let text = text.decode().ok()?.trim().to_owned();
                match path.last().map(String::as_str) {
                    Some("name") => name = text,
                    Some("int" | "i4") if name == "faultCode" => code = text.parse().ok(),
                    Some("string" | "value") if name == "faultString" => words.push_str(&text),
                    _ => {}
                }
            }
            Event::Eof => break,
            _ => {}
        }
        buffer.clear();
    }
    match (answered, fault, code) {
        (false, _, _) | (true, true, None) => None,
        (true, true, Some(code)) => Some(Answer::Fault(code, words)),
        (true, false, _) => Some(Answer::Value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_answers() {
        insta::assert_snapshot!(call("system.x", &[Argument::Text("a<b"), Argument::EmptyList]), @r#"<?xml version="1.0"?><methodCall><methodName>system.x</methodName><params><param><value><string>a&lt;b</string></value></param><param><value><array><data></data></array></value></param></params></methodCall>"#);
        let fault = b"<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n<value><int>403</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>forbidden</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n";
        assert_eq!(
            answer(fault),
            Some(Answer::Fault(403, "forbidden".to_owned()))
        );
        let value = b"<methodResponse><params><param><value><struct></struct></value></param></params></methodResponse>";
        assert_eq!(answer(value), Some(Answer::Value));
        assert_eq!(answer(b"<html>proxy</html>"), None);
        assert_eq!(answer(b"<html"), None);
    }
}
