// HTTP: URLs, and answers in pieces.
#include "http.h"

#include <stdexcept>

#include "check.h"

void testHttp() {
  const auto url = load::readUrl("http://127.0.0.1:8101/whep/a?x=1");
  EXPECT_EQUAL(url.address, "127.0.0.1");
  EXPECT_EQUAL(url.port, 8101);
  EXPECT_EQUAL(url.path, "/whep/a?x=1");
  EXPECT_EQUAL(load::readUrl("http://127.0.0.1").port, 80);
  EXPECT(throws<std::runtime_error>([] { load::readUrl("https://127.0.0.1/"); }));
  EXPECT(throws<std::runtime_error>([] { load::readUrl("http://127.0.0.1:65537/"); }));
  EXPECT_EQUAL(load::resolveUrl("http://a:1/whep/b", "/s/1"), "http://a:1/s/1");
  EXPECT_EQUAL(load::resolveUrl("http://a:1/whep/b", "http://c/s/1"), "http://c/s/1");

  const std::string sized = "HTTP/1.1 201 Created\r\nLocation:  /s/1 \r\nContent-Length: 5\r\n\r\nv=0\r\n";
  for (size_t size = 0; size < sized.size(); size += 1)
    EXPECT(!load::readResponse(sized.substr(0, size), false));
  const auto whole = load::readResponse(sized, false);
  EXPECT(whole && whole->status == 201 && whole->body == "v=0\r\n");
  if (whole) EXPECT_EQUAL(whole->fields.at("location"), "/s/1");
  EXPECT(throws<std::runtime_error>([&] { load::readResponse(sized.substr(0, 63), true); }));
  EXPECT(throws<std::runtime_error>([] { load::readResponse("SSH-2.0-x\r\n\r\n", true); }));

  const std::string chunked =
      "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nv=0\r\n2\r\n\r\n\r\n0\r\n\r\n";
  const auto chunks = load::readResponse(chunked, false);
  EXPECT(chunks && chunks->body == "v=0\r\n");
  EXPECT(!load::readResponse(chunked.substr(0, chunked.size() - 6), false));
  EXPECT_EQUAL(load::readResponse("HTTP/1.1 200 OK\r\n\r\nabc", true)->body, "abc");
  EXPECT(load::readResponse("HTTP/1.1 204 No Content\r\n\r\n", false));
}
