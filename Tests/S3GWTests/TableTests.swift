import Testing

@testable import S3GW

@Suite struct TableTests {
    @Test func `columns are as wide as their widest word, and lines end without blanks`() {
        var table = Table("NAME", "STATE", "WHY")
        table.add("fi", "active", "")
        table.add("de-longer", "offline", "away")
        #expect(table.text == "NAME       STATE    WHY\nfi         active   -\nde-longer  offline  away")
    }

    @Test func `a key cannot move the cursor of who reads it`() {
        var table = Table("KEY")
        table.add("a\u{1B}[2J\r\n\u{9B}b\u{7F}")
        #expect(table.text == "KEY\na\\x1b[2J\\x0d\\x0a\\x9bb\\x7f")
        #expect(Table.fields([("key", "\u{7}")]) == "key  \\x07")
    }

    @Test func `fields that are not known are left out`() {
        #expect(
            Table.fields([("name", "alice"), ("email", nil), ("canonical id", "0f")])
                == "name          alice\ncanonical id  0f")
    }
}
