//! How a question is asked with what a memory recalled: MemoryBench's prompts, whose language follows the question's.

use uno_types::{Lang, Message, Role};

/// A form of prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Retrieved texts as context: BM25, embedder, A-Mem, MemoryOS here.
    Context,
    /// Facts about the user as a list: Mem0.
    Memories,
    /// Rules to follow: our own.
    Rules,
}

impl Frame {
    /// The messages to send: the last turn is replaced, a system turn stays. With nothing recalled the question stays as it is.
    pub fn messages(self, prompt: &[Message], lang: Lang, recalled: &[String]) -> Vec<Message> {
        let Some((question, before)) = prompt.split_last() else { return Vec::new() };
        if recalled.is_empty() {
            return prompt.to_vec();
        }
        let text = self.text(&question.content, lang, recalled);
        before.iter().cloned().chain([Message::new(Role::User, text)]).collect()
    }

    fn text(self, question: &str, lang: Lang, recalled: &[String]) -> String {
        let list = || recalled.iter().map(|text| format!("- {text}\n")).collect::<String>();
        match (self, lang) {
            (Self::Context, Lang::En) => format!(
                "Context:\n{}\n\nUser: \n{question}\n\nBased on the context provided, respond naturally and appropriately \
                 to the user's input above.",
                recalled.join("\n")
            ),
            (Self::Context, Lang::Zh) => format!(
                "相关知识：\n{}\n\n用户输入：\n{question}\n\n请根据提供的相关知识准确、自然地回答用户的输入。",
                recalled.join("\n")
            ),
            (Self::Memories, Lang::En) => format!(
                "User Memories:\n{}\nUser input: \n{question}\n\nBased on the memories provided, respond naturally and \
                 appropriately to the user's input above.",
                list()
            ),
            (Self::Memories, Lang::Zh) => format!(
                "用户记忆：\n{}\n用户输入：\n{question}\n\n请根据提供的记忆，自然且恰当地回应用户的上述输入。",
                list()
            ),
            (Self::Rules, Lang::En) => {
                format!("{question}\n\nPeople who asked such questions wanted answers like this:\n{}", list())
            }
            (Self::Rules, Lang::Zh) => {
                format!("{question}\n\n提出类似问题的用户希望回答符合以下要求：\n{}", list())
            }
        }
    }
}
