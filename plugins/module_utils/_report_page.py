# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The frame of an HTML report: style, filter script, and a policy that lets the file load nothing else."""

from __future__ import annotations

import base64
import hashlib
import html

_STYLE = """
:root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--text:#1b2130;--muted:#5b6475;--line:#dfe3ea;--code:#f1f3f7;
--critical:#c02a2a;--critical-bg:#fdecec;--warning:#9a5b00;--warning-bg:#fff4df;--info:#2563b0;--info-bg:#e9f1fc;
--ok:#1f7a42;--ok-bg:#e6f5ec;--used:#3b7dd8;--free:#e3e8ef;--reserved:#a9b3c3;--shared:#d63b3b;--odd:#b56a00}
@media (prefers-color-scheme:dark){:root{--bg:#12151a;--card:#1a1e25;--text:#e6e9ef;--muted:#9aa4b5;--line:#2e3440;
--code:#242a33;--critical:#ff8a8a;--critical-bg:#3a1d20;--warning:#f2b85a;--warning-bg:#37290f;--info:#8bbcf8;
--info-bg:#16283f;--ok:#6fd394;--ok-bg:#14301f;--used:#4f8fe6;--free:#2a313c;--reserved:#596375;--shared:#ef5b5b;--odd:#b9791a}}
*{box-sizing:border-box}html{scroll-behavior:smooth}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1120px;margin:0 auto;padding:36px 24px 72px}h1{font-size:27px;line-height:1.2;margin:0 0 6px}
h2{font-size:20px;margin:44px 0 14px}h3{font-size:16px;margin:0;font-weight:650}p{margin:6px 0}a{color:inherit}
.muted{color:var(--muted)}.small{font-size:13px}nav{margin:18px 0 0;display:flex;flex-wrap:wrap;gap:6px 18px}
nav a{color:var(--info);text-decoration:none}nav a:hover{text-decoration:underline}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(128px,1fr));gap:12px;margin:22px 0 0}
.card,.panel{background:var(--card);border:1px solid var(--line);border-radius:10px}.card{padding:14px 16px}
.card b{display:block;font-size:29px;line-height:1.15;font-weight:680}.card.zero b{color:var(--muted)}
.card.critical b{color:var(--critical)}.card.warning b{color:var(--warning)}.card.info b{color:var(--info)}.card.ok b{color:var(--ok)}
.panel{padding:18px 20px;margin:0 0 14px}.group{border-left:5px solid var(--line)}.group.critical{border-left-color:var(--critical)}
.group.warning{border-left-color:var(--warning)}.group.info{border-left-color:var(--info)}
.tag{display:inline-block;padding:1px 9px;border-radius:99px;font-size:12.5px;font-weight:650;white-space:nowrap}
.tag.critical{color:var(--critical);background:var(--critical-bg)}.tag.warning{color:var(--warning);background:var(--warning-bg)}
.tag.info{color:var(--info);background:var(--info-bg)}.tag.ok{color:var(--ok);background:var(--ok-bg)}
.head{display:flex;flex-wrap:wrap;align-items:center;gap:6px 10px;margin-bottom:6px}.head .count{margin-left:auto}
table{width:100%;border-collapse:collapse;font-size:14px}th,td{text-align:left;padding:7px 12px 7px 0;vertical-align:top;
border-top:1px solid var(--line);overflow-wrap:anywhere}thead th{border-top:0;color:var(--muted);font-weight:600;font-size:13px}
td.n,th.n{text-align:right;padding-right:22px;font-variant-numeric:tabular-nums}td:first-child,th:first-child{padding-left:2px;width:190px}
.scroll{overflow-x:auto}code,pre{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,monospace;background:var(--code);border-radius:5px}
code{padding:1px 5px;overflow-wrap:anywhere}pre{padding:9px 12px;white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0}
dl{display:grid;grid-template-columns:minmax(104px,max-content) 1fr;gap:5px 16px;margin:10px 0}dt{color:var(--muted)}dd{margin:0;min-width:0}
dd pre{margin:0}summary{cursor:pointer;color:var(--muted);font-size:13px}details[open]>summary{margin-bottom:4px}
.bar{display:flex;height:9px;border-radius:5px;background:var(--free);overflow:hidden;margin:12px 0 14px}.bar i{display:block;height:100%}
.bar .used{background:var(--used)}.bar .reserved{background:var(--reserved)}
svg{display:block;width:100%;height:auto;margin:4px 0 10px}svg text{font:11px ui-monospace,SFMono-Regular,Menlo,monospace;fill:var(--muted)}
svg .name{fill:#fff;font-weight:600}svg .free+.name,svg .dark{fill:var(--muted)}rect.used,.key .used{fill:var(--used);background:var(--used)}
rect.free,.key .free{fill:var(--free);background:var(--free)}rect.reserved,.key .reserved{fill:var(--reserved);background:var(--reserved)}
rect.shared,.key .shared{fill:var(--shared);background:var(--shared)}rect.odd,.key .odd{fill:var(--odd);background:var(--odd)}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--muted)}.key span{display:inline-flex;align-items:center;gap:6px}
.key i{width:12px;height:12px;border-radius:3px;display:inline-block}
input{width:100%;padding:10px 13px;border:1px solid var(--line);border-radius:9px;background:var(--card);color:inherit;font:inherit;margin:0 0 14px}
[hidden]{display:none!important}footer{margin-top:40px}
@media (max-width:640px){main{padding:22px 14px 48px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
@media print{:root{color-scheme:light}body{background:#fff;font-size:12px}main{max-width:none;padding:0}nav,input{display:none}
.panel,tr,svg{break-inside:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""

_SCRIPT = """
const box=document.getElementById('filter');box.hidden=false;
box.addEventListener('input',()=>{const words=box.value.toLowerCase().split(/\\s+/);
const fits=e=>words.every(w=>e.dataset.text.includes(w));
for(const e of document.querySelectorAll('[data-text]'))e.hidden=!fits(e);
for(const g of document.querySelectorAll('.group'))g.hidden=!g.querySelector('[data-text]:not([hidden])');});
"""


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def page(title: str, body: str) -> str:
    """A whole HTML document around ``body``.

    The policy allows this style and this script by their digests and nothing else: even a text that slipped through
    the escaping could neither run nor load anything.
    """
    policy = f"default-src 'none'; style-src {_digest(_STYLE)}; script-src {_digest(_SCRIPT)}; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main><script>{_SCRIPT}</script></body></html>\n"
    )
