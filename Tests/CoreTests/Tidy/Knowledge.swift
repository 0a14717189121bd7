/// Which of Core's folders may know which: a folder knows another one when it names a type that is declared there.
enum Knowledge {
    /// What each folder never knows.
    ///
    /// A folder of Core that is missing here is a finding.
    static let never: [String: [String]] = [
        "Errors": all(but: ["Errors"]),
        "Naming": all(but: ["Naming", "Errors"]),
        "Request": ["Metadata", "Backend", "Policy", "Placement", "Configuration"] + upper,
        "Auth": ["Metadata", "Backend", "Policy", "Placement", "Configuration"] + upper,
        "Policy": ["Metadata", "Backend", "Placement", "Auth", "Configuration"] + upper,
        "Placement": ["Request", "Metadata", "Backend", "Auth", "Configuration"] + upper,
        "Metadata": ["Request", "Backend", "Auth", "Policy", "Placement", "Configuration"] + upper,
        "Backend": ["Metadata", "Policy", "Configuration"] + upper,
        "Configuration": ["Metadata", "Backend", "Policy", "Placement"] + upper,
        "Operations": ["Control", "Replication"],
        "Control": ["Replication"],
        "Replication": ["Control"],
    ]

    /// Where the other folders meet; nothing below them knows them.
    private static let upper = ["Operations", "Control", "Replication"]

    private static let folders = [
        "Errors", "Naming", "Request", "Auth", "Policy", "Placement", "Metadata", "Backend", "Configuration",
    ]

    private static func all(but known: [String]) -> [String] { (folders + upper).filter { !known.contains($0) } }

    struct Exception: Hashable {
        var folder: String
        var type: String
    }

    /// Small values that any folder above Naming may name, each with its reason.
    static let shared: [String: String] = [
        "HeaderField": "a name and its bytes: stored and sent on as the client gave them",
        "ObjectChecksum": "part of what a version is",
        "ChecksumAlgorithm": "part of what a version is",
        "ChecksumType": "part of what a version is",
        "Location": "where a backend stands: policy reads it, the database and placement carry it",
        "LocationSelector": "where a site says that it stands: nginx's parameter carries it",
        "BackendState": "what placement decides by and the database carries",
        "Log": "everybody may log",
        "SystemError": "the words of errno",
    ]

    /// Types that cross against the table, each with its reason.
    ///
    /// One that nothing needs any more is a finding.
    static let exceptions: [Exception: String] = [
        Exception(folder: "Errors", type: "XMLWriter"): "an error document is XML, and there is one writer of it",
        Exception(folder: "Naming", type: "Crypto"): "a key too long for a backend is named by its hash",
        Exception(folder: "Metadata", type: "Crypto"): "each row of the ledger is hashed with the one before it",
        Exception(folder: "Metadata", type: "JSONValue"): "the ledger tells of backends, buckets and policies in JSON",
        Exception(folder: "Backend", type: "BackendRecord"): "a backend is made from its row",
    ]

    struct Answer: Equatable {
        var findings: [Finding]
        /// Exceptions that no file made use of.
        var unused: [Exception]
    }

    static func check(_ files: [SourceFile], exceptions: [Exception: String] = exceptions) -> Answer {
        let declared = declarations(files)
        var used: Set<Exception> = []
        var findings: [Finding] = []
        for file in files {
            guard let folder = file.coreFolder, folder != "" else { continue }
            guard let forbidden = never[folder] else {
                findings.append(
                    Finding(path: file.path, line: 1, words: "\(folder) has no row in the table of knowledge"))
                continue
            }
            let own = Set(declaredNames(file, atAnyDepth: true))
            for (index, token) in file.tokens.enumerated() where token.isWord {
                guard let home = declared[token.text], forbidden.contains(home), !own.contains(token.text),
                    !isShared(token.text, in: folder),
                    index == 0 || file.tokens[index - 1].text != "."
                else { continue }
                let exception = Exception(folder: folder, type: token.text)
                if exceptions[exception] != nil {
                    used.insert(exception)
                } else {
                    let words = "\(folder) never knows \(home), and this is its \(token.text)"
                    findings.append(Finding(path: file.path, line: token.line, words: words))
                }
            }
        }
        let unused = exceptions.keys.filter { !used.contains($0) }.sorted { $0.type < $1.type }
        return Answer(findings: findings, unused: unused)
    }

    private static func isShared(_ type: String, in folder: String) -> Bool {
        folder != "Errors" && folder != "Naming" && shared[type] != nil
    }

    /// The folder of Core that declares each type seen outside of its file; a name that two folders have is left out.
    private static func declarations(_ files: [SourceFile]) -> [String: String] {
        var homes: [String: Set<String>] = [:]
        for file in files {
            guard let folder = file.coreFolder, folder != "" else { continue }
            for name in declaredNames(file, atAnyDepth: false) { homes[name, default: []].insert(folder) }
        }
        return homes.compactMapValues { $0.count == 1 ? $0.first : nil }
    }

    private static let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias"]
    private static let modifiers: Set<String> = [
        "private", "fileprivate", "final", "indirect", "package", "safe", "unsafe",
    ]

    private static func declaredNames(_ file: SourceFile, atAnyDepth: Bool) -> [String] {
        file.tokens.indices.compactMap { index in
            let token = file.tokens[index]
            guard kinds.contains(token.text), atAnyDepth || token.depth == 0, index + 1 < file.tokens.count,
                file.tokens[index + 1].isWord
            else { return nil }
            let before = file.tokens[..<index].reversed().prefix { modifiers.contains($0.text) }
            let isPrivate = before.contains { $0.text == "private" || $0.text == "fileprivate" }
            return isPrivate && !atAnyDepth ? nil : file.tokens[index + 1].text
        }
    }
}
