SELECT url_extract_host(x), url_extract_path(x), url_extract_port(x), url_extract_protocol(x), url_extract_query(x), url_extract_fragment(x) FROM (VALUES 'https://user@example.com:8443/a/b%20c?x=1&y=%C3%A9#frag', 'http://example.com', 'ftp://h/', '/only/path', 'mailto:a@b.c', '', 'http://[::1]:80/x', NULL) t(x);
SELECT url_extract_host('http://not a url'), url_extract_path('http://exa mple.com/x'), url_extract_query('http://h/?');
SELECT url_extract_parameter('http://h/?x=1&y=2&x=3', 'x'), url_extract_parameter('http://h/?x=', 'x'), url_extract_parameter('http://h/?x', 'x'), url_extract_parameter('http://h/', 'x'), url_extract_parameter('http://h/?a=%C3%A9+b', 'a');
SELECT url_encode('a b&c=d/é~*'), url_decode('a+b%26%C3%A9'), url_encode(''), url_decode('');
SELECT url_decode('%zz');
