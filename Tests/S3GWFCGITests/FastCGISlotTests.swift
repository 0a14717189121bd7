import Core
import Foundation
import Testing

@testable import S3GWFCGI

@Suite struct FastCGISlotTests {
    /// Lets `answer` write to a slot, and returns what nginx would read.
    private func exchange(
        isHEAD: Bool = false, body: [UInt8] = [], _ answer: (inout FastCGISlot) throws -> Void
    ) throws -> Conversation.Answer {
        let conversation = Conversation()
        conversation.request([("REQUEST_METHOD", "GET")], body: body)
        let result = Result()
        let done = DispatchSemaphore(value: 0)
        Foundation.Thread.detachNewThread {
            result.answer = conversation.answer()
            done.signal()
        }
        var slot = FastCGISlot()
        let hasBegun = slot.begin(conversation.theirs)
        try #require(hasBegun)
        slot.isHEAD = isHEAD
        try answer(&slot)
        slot.finish()
        done.wait()
        return result.answer
    }

    private final class Result: @unchecked Sendable {
        var answer = Conversation.Answer()
    }

    private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 17 &+ $0 >> 9) } }

    @Test func `a small answer is one write, head and end included`() throws {
        let answer = try exchange { slot in
            var head = ResponseHead(status: 200)
            head.add("ETag", "\"x\"")
            try slot.send(head, body: bytes(1000))
        }
        #expect(answer.head == "Status: 200 OK\r\nETag: \"x\"\r\nContent-Length: 1000\r\n\r\n")
        #expect(answer.body == bytes(1000))
        #expect(answer.hasEnded && answer.reads == 1)
    }

    @Test(arguments: [0, 1, 32_000, 32_768, 65_528, 65_529, 1_000_000, 2_500_000])
    func `a body arrives as it was sent, in one piece or many`(count: Int) throws {
        let body = bytes(count)
        for piece in [count, 10_007] where piece > 0 {
            let answer = try exchange { slot in
                try slot.send(ResponseHead(status: 200, contentLength: Int64(count)))
                for start in stride(from: 0, to: count, by: piece) {
                    try slot.send(body: Array(body[start..<min(start + piece, count)]))
                }
            }
            #expect(answer.body == body && answer.hasEnded)
        }
    }

    @Test func `HEAD, 204 and 304 have no body`() throws {
        let head = try exchange(isHEAD: true) { try $0.send(ResponseHead(status: 200), body: bytes(100_000)) }
        #expect(head.head.contains("Content-Length: 100000") && head.body.isEmpty && head.hasEnded)
        for status in [204, 304] {
            let answer = try exchange { try $0.send(ResponseHead(status: status, contentLength: 0)) }
            #expect(!answer.head.contains("Content-Length") && answer.body.isEmpty && answer.hasEnded)
        }
    }

    @Test func `a body shorter than promised ends, so that nginx cuts the transfer`() throws {
        let answer = try exchange { slot in
            try slot.send(ResponseHead(status: 200, contentLength: 100_000))
            try slot.send(body: bytes(70_000))
        }
        #expect(answer.body == bytes(70_000) && answer.hasEnded && answer.head.contains("Content-Length: 100000"))
    }

    @Test func `an open-ended body goes out piece by piece, tells nginx so, and ends with the request`() throws {
        let answer = try exchange { slot in
            var head = ResponseHead(status: 200, contentLength: nil)
            head.isOpenEnded = true
            try slot.send(head)
            for piece in [bytes(1), bytes(100), bytes(70_000)] {
                try slot.send(body: piece)
                usleep(20_000)
            }
        }
        #expect(answer.head == "Status: 200 OK\r\nX-Accel-Buffering: no\r\n\r\n")
        #expect(answer.body == bytes(1) + bytes(100) + bytes(70_000))
        #expect(answer.hasEnded && answer.reads > 2)
        let head = try exchange(isHEAD: true) { slot in
            var head = ResponseHead(status: 200, contentLength: nil)
            head.isOpenEnded = true
            try slot.send(head)
            try slot.send(body: bytes(10))
        }
        #expect(head.body.isEmpty && head.hasEnded)
    }

    @Test func `a body longer than promised is clipped`() throws {
        let answer = try exchange { slot in
            try slot.send(ResponseHead(status: 200, contentLength: 10))
            try slot.send(body: bytes(20))
        }
        #expect(answer.body == bytes(10) && answer.hasEnded)
    }

    @Test func `a request that nobody answered is a 500`() throws {
        let answer = try exchange { _ in }
        #expect(answer.head.hasPrefix("Status: 500") && answer.hasEnded)
        #expect(String(decoding: answer.body, as: UTF8.self).contains("<Code>InternalError</Code>"))
    }

    @Test func `an answer reaches nginx although the request's body was not read`() throws {
        let answer = try exchange(body: bytes(3_000_000)) { try $0.send(ResponseHead(status: 403), body: bytes(10)) }
        #expect(answer.head.hasPrefix("Status: 403") && answer.body == bytes(10))
    }

    @Test(.timeLimit(.minutes(1)))
    func `an answer is complete although the client never ends its body`() throws {
        let conversation = Conversation()
        conversation.request([("REQUEST_METHOD", "PUT")], body: bytes(100_000), isOpen: true)
        let result = Result()
        let done = DispatchSemaphore(value: 0)
        Foundation.Thread.detachNewThread {
            result.answer = conversation.answer()
            conversation.hangUp()
            done.signal()
        }
        var slot = FastCGISlot()
        let hasBegun = slot.begin(conversation.theirs)
        try #require(hasBegun)
        try slot.send(ResponseHead(status: 503), body: bytes(10))
        slot.finish()
        done.wait()
        #expect(result.answer.body == bytes(10) && result.answer.hasEnded)
    }

    @Test func `a header cannot split the head`() throws {
        let answer = try exchange { slot in
            var head = ResponseHead(status: 200)
            head.add("x-amz-meta-a", "1\r\nX-Accel-Redirect: /etc")
            head.add("x-amz-meta\r\nb", "2")
            try slot.send(head, body: [])
        }
        #expect(
            answer.head == "Status: 200 OK\r\nx-amz-meta-a: 1%0D%0AX-Accel-Redirect: /etc\r\nContent-Length: 0\r\n\r\n")
    }

    @Test func `a client that left ends the sending`() throws {
        let conversation = Conversation()
        conversation.request([("REQUEST_METHOD", "GET")])
        var slot = FastCGISlot()
        let hasBegun = slot.begin(conversation.theirs)
        try #require(hasBegun)
        try slot.send(ResponseHead(status: 200, contentLength: 10_000_000))
        conversation.hangUp()
        var isClosed = false
        do throws(WireClosed) { try slot.send(body: bytes(10_000_000)) } catch { isClosed = true }
        #expect(isClosed)
        slot.finish()
    }

    @Test func `a connection without a request does no harm to the next one`() throws {
        var slot = FastCGISlot()
        for _ in 0..<3 {
            let empty = Conversation()
            empty.hangUp()
            let hasBegun = slot.begin(empty.theirs)
            #expect(!hasBegun)
        }
        let conversation = Conversation()
        conversation.request([("REQUEST_METHOD", "GET")])
        let hasBegun = slot.begin(conversation.theirs)
        try #require(hasBegun)
        try slot.send(ResponseHead(status: 200), body: [65])
        slot.finish()
        #expect(conversation.answer().body == [65])
    }
}
