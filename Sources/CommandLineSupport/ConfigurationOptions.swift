package import ArgumentParser
package import Core

/// `--config` and one flag for each configuration key, for every command of ours.
///
/// Use it as `@OptionGroup var options: ConfigurationOptions` and call `load()`. The flags come from
/// `ConfigurationKey.all`: ArgumentParser finds options by reflection, so this type reflects the table.
package struct ConfigurationOptions: ParsableArguments, CustomReflectable {
    package var file: String?
    package var overrides: [String: String] = [:]

    package init() {}

    /// Reads the configuration of this process: file, then the environment, then the flags.
    ///
    /// What is wrong is written to standard error, each problem on its line; the thrown exit code is 2.
    package func load() throws(ExitCode) -> Configuration {
        do throws(ConfigurationError) { return try reload() } catch {
            CommandLineProgram.complain(error.description)
            throw CommandLineProgram.usageError
        }
    }

    /// Reads the configuration again, for a process that is told to; nothing is written and nobody exits.
    package func reload() throws(ConfigurationError) -> Configuration {
        try Configuration.load(file: file, environment: ProcessEnvironment.variables(), overrides: overrides)
    }

    package var customMirror: Mirror {
        var children: [(label: String?, value: Any)] = [("_config", Self.configOption)]
        for key in ConfigurationKey.all { children.append(("_\(key.name)", Self.option(for: key))) }
        return Mirror(self, children: children, displayStyle: .struct)
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Name.self)
        file = try values.decode(Option<String?>.self, forKey: Name(stringValue: "config")).wrappedValue
        for key in ConfigurationKey.all {
            let option = try values.decode(Option<String?>.self, forKey: Name(stringValue: key.name))
            if let value = option.wrappedValue { overrides[key.name] = value }
        }
    }

    private static var configOption: Option<String?> {
        Option(
            name: .customLong("config"),
            help: ArgumentHelp(
                "The configuration file. Default: \(Configuration.fileVariable), else \(Configuration.defaultFile) when it exists.",
                valueName: "path"))
    }

    private static func option(for key: ConfigurationKey) -> Option<String?> {
        Option(name: .customLong(key.name), help: ArgumentHelp("\(key.fullHelp)", valueName: key.valueName))
    }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { return nil }
    }
}
