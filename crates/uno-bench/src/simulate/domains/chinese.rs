//! Chinese domains: for what needs no model that writes Chinese (rules, checks, prompts), and for models that do.

use uno_types::Check;

use super::{Domain, RuleKind};

pub(super) fn domains() -> Vec<Domain> {
    vec![
        Domain {
            name: "zh-cooking",
            kind: RuleKind::Known,
            check: Check::NumberedList,
            users: &["小李", "小王"],
            frames: &["怎么{}？", "请问{}的方法是什么？", "我想{}，应该怎么做？"],
            topics: &[
                "煮米饭",
                "做番茄汤",
                "煎鸡蛋",
                "包饺子",
                "炒青菜",
                "做红烧肉",
                "蒸鱼",
                "煮面条",
                "做蛋炒饭",
                "炖牛肉",
                "拌黄瓜",
                "做豆腐汤",
                "烤鸡翅",
                "煮粥",
                "做春卷",
                "炸薯条",
            ],
            held_out: &["做麻婆豆腐", "煮玉米", "做酸辣汤", "烤红薯", "做葱油饼", "炒土豆丝"],
            complaints: &[
                "请用编号列表回答。",
                "请用编号列表。",
                "请使用编号列表。",
                "用编号列表回答。",
                "请以编号列表的形式回答。",
            ],
            contradictions: &["不要列表，请写成一段话。", "请写得详细得多。"],
            new_questions: &["顺便问一下，这道菜来自哪里？", "配什么饮料好？"],
            code: &[],
        },
        Domain {
            name: "zh-finance",
            kind: RuleKind::Arbitrary,
            check: Check::EndsWith { text: "投资有风险。".into() },
            users: &["小陈", "小赵"],
            frames: &["怎么{}？", "{}需要注意什么？", "我想{}，从哪里开始？"],
            topics: &[
                "存应急资金",
                "买基金",
                "还信用卡",
                "做月度预算",
                "买国债",
                "开储蓄账户",
                "买黄金",
                "提前还贷款",
                "选保险",
                "存教育金",
                "降低电费",
                "记账",
                "谈加薪",
                "租房",
                "办理养老金",
                "买股票",
            ],
            held_out: &["选择银行", "买第一套房", "分散投资", "报税", "应付突然的账单", "存旅行的钱"],
            complaints: &[
                "请以“投资有风险。”结尾。",
                "回答请以“投资有风险。”结尾。",
                "请用“投资有风险。”结尾。",
                "每次都要以“投资有风险。”结尾。",
            ],
            contradictions: &["请不要写任何免责声明。", "请写一篇很长的文章。"],
            new_questions: &["现在的通货膨胀率是多少？", "谁发明了信用卡？"],
            code: &[],
        },
    ]
}
