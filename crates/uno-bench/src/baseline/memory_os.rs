//! Three tiers, after the description of MemoryOS: the last dialogues as they are (short term, 7); older ones as pages
//! grouped into segments by topic (middle term), whose heat grows with every page and every visit; facts of segments that
//! become hot (heat 5) in a store of 100 (long term).
//!
//! Simplified: segments are grouped by embedding and have no summary of the model; heat counts pages and later pages that
//! join, without decay in time; there is one user; the prompt is the common one, with a heading per tier.

use std::collections::VecDeque;

use uno_types::Record;

use super::dense::{cosine, embed, nearest};
use super::unit::Unit;
use super::{BaselineError, Memory, Question, RECALLED, Tools, mem0};

const NAME: &str = "memory_os";
/// Dialogues of the short term.
const SHORT: usize = 7;
/// Of these, shown to the model: the last ones.
const SHOWN: usize = 2;
/// Heat from which a segment's facts go to the long term.
const HOT: usize = 5;
/// Facts of the long term.
const LONG: usize = 100;
/// Cosine from which a page joins a segment.
const JOIN: f32 = 0.5;

struct Page {
    record: Record,
    text: String,
    vector: Vec<f32>,
}

struct Segment {
    centre: Vec<f32>,
    pages: Vec<usize>,
    /// Pages that came since its facts were taken.
    heat: usize,
}

/// The tiers.
#[derive(Default)]
pub struct MemoryOs {
    short: VecDeque<Page>,
    pages: Vec<Page>,
    segments: Vec<Segment>,
    facts: VecDeque<(String, Vec<f32>)>,
}

impl MemoryOs {
    /// Moves a dialogue from the short to the middle term.
    fn archive(&mut self, page: Page) {
        let position = self.pages.len();
        let near = self.segments.iter().map(|s| cosine(&s.centre, &page.vector)).enumerate();
        match near.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, c)| *c >= JOIN) {
            Some((s, _)) => {
                let segment = &mut self.segments[s];
                segment.pages.push(position);
                segment.heat += 1;
                let n = segment.pages.len() as f32;
                for (c, v) in segment.centre.iter_mut().zip(&page.vector) {
                    *c += (v - *c) / n;
                }
                uno_learn::features::normalise(&mut segment.centre);
            }
            None => {
                let (centre, pages) = (page.vector.clone(), vec![position]);
                self.segments.push(Segment { centre, pages, heat: 1 });
            }
        }
        self.pages.push(page);
    }

    /// Facts of hot segments go to the long term.
    fn settle(&mut self, tools: &Tools<'_>) -> Result<(), BaselineError> {
        let mut hot: Vec<Record> = Vec::new();
        for segment in self.segments.iter_mut().filter(|s| s.heat >= HOT) {
            let new = segment.pages.len().saturating_sub(segment.heat);
            hot.extend(segment.pages[new..].iter().map(|&p| self.pages[p].record.clone()));
            segment.heat = 0;
        }
        let facts: Vec<String> = mem0::facts(NAME, &hot, tools)?.into_iter().flatten().collect();
        let vectors = embed(NAME, &facts.iter().map(String::as_str).collect::<Vec<_>>(), tools)?;
        for new in facts.into_iter().zip(vectors) {
            if self.facts.len() == LONG {
                self.facts.pop_front();
            }
            self.facts.push_back(new);
        }
        Ok(())
    }

    fn recalled(&self, query: &[f32]) -> Vec<String> {
        let mut out = Vec::new();
        let facts: Vec<Vec<f32>> = self.facts.iter().map(|(_, v)| v.clone()).collect();
        for (i, _) in nearest(query, &facts, RECALLED) {
            out.push(format!("Known about users: {}", self.facts[i].0));
        }
        let centres: Vec<Vec<f32>> = self.segments.iter().map(|s| s.centre.clone()).collect();
        let of_segments = nearest(query, &centres, 2).into_iter().flat_map(|(s, _)| &self.segments[s].pages);
        let mut pages: Vec<(f32, usize)> =
            of_segments.map(|&p| (cosine(query, &self.pages[p].vector), p)).collect();
        pages.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, p) in pages.into_iter().take(RECALLED) {
            out.push(format!("Earlier conversation:\n{}", self.pages[p].text));
        }
        for page in self.short.iter().rev().take(SHOWN) {
            out.push(format!("Recent conversation:\n{}", page.text));
        }
        out
    }
}

impl Memory for MemoryOs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn simplified(&self) -> &'static str {
        "segments by embedding and without summaries; heat without time; one user; the common prompt"
    }

    fn add(&mut self, logs: &[Record], tools: &Tools<'_>) -> Result<(), BaselineError> {
        let entries = Unit::Dialog.entries(logs);
        let keys: Vec<&str> = entries.iter().map(|e| e.key.as_str()).collect();
        let vectors = embed(NAME, &keys, tools)?;
        for ((record, entry), vector) in logs.iter().zip(entries).zip(vectors) {
            self.short.push_back(Page { record: record.clone(), text: entry.text, vector });
            if self.short.len() > SHORT
                && let Some(oldest) = self.short.pop_front()
            {
                self.archive(oldest);
            }
        }
        self.settle(tools)
    }

    fn recall(&self, questions: &[Question], tools: &Tools<'_>) -> Result<Vec<Vec<String>>, BaselineError> {
        let texts: Vec<&str> = questions.iter().map(Question::text).collect();
        Ok(embed(NAME, &texts, tools)?.iter().map(|query| self.recalled(query)).collect())
    }
}
