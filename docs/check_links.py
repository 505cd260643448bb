"""Check the built pages: ``python docs/check_links.py docs/_build/html``.

Every link within the site leads somewhere, every picture has a text, and nothing is fetched from
elsewhere when a page is opened.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to, what can be linked to in it, and what it fetches."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.faults = [], set(), []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "img" and "alt" not in given:
            self.faults.append(f"no text for the picture {given.get('src')}")
        fetched = given.get("src") or (tag == "link" and given.get("href")) or ""
        if urlsplit(fetched).scheme not in ("", "data") and given.get("rel") != "canonical":
            self.faults.append(f"fetches {fetched}")
        elif fetched and not fetched.startswith("data:"):
            self.links.append(fetched)


def main(site):
    """Print what is wrong; the exit code is 1 if anything is."""
    pages = {
        path: Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    }
    faults = 0
    for path, page in pages.items():
        dead = [f"dead link {link}" for link in page.links if _is_dead(link, path, pages)]
        for fault in page.faults + dead:
            print(f"{path.relative_to(site)}: {fault}", file=sys.stderr)
            faults += 1
    print(f"{len(pages)} pages, {faults} faults")
    return int(faults > 0 or not pages)


def _is_dead(link, path, pages):
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return True
    anchor = unquote(parts.fragment)
    return bool(anchor) and target in pages and anchor not in pages[target].anchors


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
