//! The two lines of a request, joined by the stream's id.
//!
//! What is kept: requests that are under way (starts without an end), and ends that wait for a start that a writer with
//! several workers wrote late. A log of ends alone passes through that window. Of every line, 8 bytes are kept to know it
//! again: a file given twice, or a log that was shipped twice, counts once.

use super::line::{Kind, Line};
use std::collections::{HashMap, HashSet, VecDeque};
use switchyard_filter::request::Known;

/// How many ends wait for their start.
const WINDOW: usize = 4096;

/// A request as recorded: the start, where there is one, and the end, where there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// As it came.
    pub start: Option<Line>,
    /// What became of it.
    pub end: Option<Line>,
}

/// Joins lines, in any order.
#[derive(Debug, Default)]
pub struct Join {
    starts: HashMap<Vec<u8>, (u64, Line)>,
    ends: HashMap<Vec<u8>, Line>,
    /// Ids of ends, oldest first; some may have been joined since.
    waiting: VecDeque<Vec<u8>>,
    /// Digests of the lines with an id. In ten million lines the chance that two differing ones share a digest is below
    /// one in 300,000.
    seen: HashSet<u64>,
    count: u64,
}

impl Join {
    /// Takes a line; what is complete goes to `out`. `false` for a line with an id that was taken before: a stream's id
    /// is its own, so it is the same request again.
    pub fn push(&mut self, line: Line, out: &mut Vec<Joined>) -> bool {
        if matches!(line.id, Known::Present(_)) && !self.seen.insert(line.digest) {
            return false;
        }
        self.join(line, out);
        true
    }

    fn join(&mut self, line: Line, out: &mut Vec<Joined>) {
        let Known::Present(id) = line.id.clone() else {
            let (start, end) = if line.kind == Kind::Start { (Some(line), None) } else { (None, Some(line)) };
            out.push(Joined { start, end });
            return;
        };
        match line.kind {
            Kind::Start => {
                if let Some(end) = self.ends.remove(&id) {
                    out.push(Joined { start: Some(line), end: Some(end) });
                    return;
                }
                self.count += 1;
                // An id that starts twice: the first one never ended.
                if let Some((_, first)) = self.starts.insert(id, (self.count, line)) {
                    out.push(Joined { start: Some(first), end: None });
                }
            }
            Kind::End => {
                if let Some((_, start)) = self.starts.remove(&id) {
                    out.push(Joined { start: Some(start), end: Some(line) });
                    return;
                }
                if let Some(first) = self.ends.insert(id.clone(), line) {
                    out.push(Joined { start: None, end: Some(first) });
                }
                self.waiting.push_back(id);
                while self.waiting.len() > WINDOW {
                    let end = self.waiting.pop_front().and_then(|oldest| self.ends.remove(&oldest));
                    out.extend(end.map(|end| Joined { start: None, end: Some(end) }));
                }
            }
        }
    }

    /// What is left at the end of the input: ends without a start, then requests that are still under way, in order.
    pub fn finish(mut self, out: &mut Vec<Joined>) {
        for id in self.waiting {
            out.extend(self.ends.remove(&id).map(|end| Joined { start: None, end: Some(end) }));
        }
        let mut starts: Vec<_> = self.starts.into_values().collect();
        starts.sort_by_key(|(order, _)| *order);
        out.extend(starts.into_iter().map(|(_, start)| Joined { start: Some(start), end: None }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::line::read;

    fn join(lines: &[String]) -> Vec<String> {
        let mut join = Join::default();
        let mut out = Vec::new();
        for line in lines {
            join.push(read(line.as_bytes()).unwrap(), &mut out);
        }
        join.finish(&mut out);
        let id = |line: &Option<Line>| line.as_ref().map_or_else(String::new, |line| format!("{:?}", line.path));
        out.iter()
            .map(|joined| format!("{}>{}", id(&joined.start), id(&joined.end)))
            .map(|text| text.replace("Present(", "").replace("[47, ", "").replace("])", ""))
            .collect()
    }

    fn start(id: u32) -> String {
        format!(r#"{{"type":"DownstreamStart","id":"{id}","p":"/{}"}}"#, char::from(1))
    }

    fn end(id: u32) -> String {
        format!(r#"{{"type":"DownstreamEnd","id":"{id}","p":"/{}"}}"#, char::from(2))
    }

    fn clean(lines: &[String]) -> Vec<String> {
        join(&lines.iter().map(|line| line.replace('\u{1}', "s").replace('\u{2}', "e")).collect::<Vec<_>>())
    }

    #[test]
    fn lines_join_in_any_order() {
        assert_eq!(clean(&[start(1), start(2), end(2), end(1)]), ["115>101", "115>101"]);
        assert_eq!(clean(&[end(1), start(1)]), ["115>101"]);
    }

    #[test]
    fn half_a_request_is_one_too() {
        assert_eq!(clean(&[end(1), end(2)]), [">101", ">101"]);
        let other_start = start(1).replace('{', r#"{"m":"PUT","#);
        assert_eq!(clean(&[start(1), other_start, end(1)]), ["115>", "115>101"]);
        assert_eq!(clean(&[start(1)]), ["115>"]);
    }

    #[test]
    fn a_line_that_came_before_is_the_same_request() {
        let lines = [start(1), end(1), start(2), end(2)];
        let twice: Vec<_> = lines.iter().flat_map(|line| [line.clone(), line.clone()]).collect();
        assert_eq!(clean(&twice), ["115>101", "115>101"], "each line twice");
        assert_eq!(clean(&[lines.clone(), lines].concat()), ["115>101", "115>101"], "the whole log twice");
        assert_eq!(clean(&[end(1), end(2), end(1)]), [">101", ">101"], "a log of ends");
        let nameless = r#"{"p":"/e"}"#.to_owned();
        assert_eq!(clean(&[nameless.clone(), nameless]), [">101", ">101"], "two requests, as far as one can tell");
    }

    #[test]
    fn a_log_of_ends_alone_needs_no_more_than_the_window() {
        let mut join = Join::default();
        let mut out = Vec::new();
        for id in 0..10_000 {
            let line = end(id).replace('\u{2}', "e");
            join.push(read(line.as_bytes()).unwrap(), &mut out);
            assert!(join.ends.len() <= WINDOW && join.waiting.len() <= WINDOW);
        }
        assert_eq!(out.len(), 10_000 - WINDOW);
        join.finish(&mut out);
        assert_eq!(out.len(), 10_000);
    }
}
