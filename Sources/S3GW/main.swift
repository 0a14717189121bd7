import CommandLineSupport

CommandLineProgram.run(S3GWCommand.self)
