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
:root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--text:#1b2130;--muted:#555e6f;--line:#dfe3ea;--code:#f1f3f7;
--critical:#b42525;--critical-bg:#fdecec;--warning:#8a5100;--warning-bg:#fff4df;--info:#2159a3;--info-bg:#e9f1fc;
--ok:#1b6d3a;--ok-bg:#e6f5ec;--used:#2f6bbf;--free:#e6eaf0;--edge:#b9c2cf;--reserved:#667085;--shared:#c62f2f;--odd:#915600;
--on:#fff;--second:#6b4fb3;--third:#0f766e}
@media screen and (prefers-color-scheme:dark){:root{--bg:#12151a;--card:#1a1e25;--text:#e6e9ef;--muted:#a1abbb;--line:#2e3440;
--code:#242a33;--critical:#ff9191;--critical-bg:#3a1d20;--warning:#f2b85a;--warning-bg:#37290f;--info:#8bbcf8;
--info-bg:#16283f;--ok:#6fd394;--ok-bg:#14301f;--used:#3573c6;--free:#20262f;--edge:#46505f;--reserved:#6a7487;--shared:#d03c3c;
--odd:#9a6411;--second:#8468cf;--third:#16857c}}
*{box-sizing:border-box}html{scroll-behavior:smooth}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1120px;margin:0 auto;padding:36px 24px 72px}h1{font-size:27px;line-height:1.2;margin:0 0 6px}
h2{font-size:20px;margin:44px 0 14px}h3{font-size:16px;margin:0;font-weight:650}p{margin:6px 0}a{color:inherit}
.muted{color:var(--muted)}.small{font-size:13px}nav{margin:18px 0 0;display:flex;flex-wrap:wrap;gap:6px 18px}
nav a{color:var(--info);text-decoration:none}nav a:hover{text-decoration:underline}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(116px,1fr));gap:12px;margin:22px 0 0;padding:0;list-style:none}
.card,.panel{background:var(--card);border:1px solid var(--line);border-radius:10px}.card{padding:14px 16px}
.card b{display:block;font-size:29px;line-height:1.15;font-weight:680}.card.zero b{color:var(--muted)}
.card.critical b{color:var(--critical)}.card.warning b{color:var(--warning)}.card.info b{color:var(--info)}.card.ok b{color:var(--ok)}
.panel{padding:18px 20px;margin:0 0 14px}.group{border-left:5px solid var(--line)}.group.critical{border-left-color:var(--critical)}
.group.warning{border-left-color:var(--warning)}.group.info{border-left-color:var(--info)}
.tag{display:inline-block;padding:1px 9px;border-radius:99px;font-size:12.5px;font-weight:650;white-space:nowrap}
.tag.critical{color:var(--critical);background:var(--critical-bg)}.tag.warning{color:var(--warning);background:var(--warning-bg)}
.tag.info,.tag.new{color:var(--info);background:var(--info-bg)}.tag.ok{color:var(--ok);background:var(--ok-bg)}
.head{display:flex;flex-wrap:wrap;align-items:center;gap:6px 10px;margin-bottom:6px}.head .count{margin-left:auto}
table{width:100%;border-collapse:collapse;font-size:14px}th,td{text-align:left;padding:7px 16px 7px 0;vertical-align:top;
border-top:1px solid var(--line);overflow-wrap:break-word}thead th{border-top:0;color:var(--muted);font-weight:600;font-size:13px}
tbody th{font-weight:650;overflow-wrap:anywhere;min-width:120px}caption{text-align:left;color:var(--muted);font-size:13px;padding:6px 0 2px}
td.n,th.n{text-align:right;padding-right:22px;font-variant-numeric:tabular-nums}
th button{all:unset;cursor:pointer;font:inherit;color:inherit}th button:focus-visible{outline:2px solid var(--info);outline-offset:2px}
th button:after{content:" \\2195";opacity:.55}th[aria-sort=ascending] button:after{content:" \\2191";opacity:1}
th[aria-sort=descending] button:after{content:" \\2193";opacity:1}
.slim{width:auto;min-width:340px}.scroll{overflow-x:auto}.found caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.found{table-layout:fixed;position:relative}.found th:first-child{width:25%}.found td,.found tbody th{overflow-wrap:anywhere}
code,pre{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,monospace;background:var(--code);border-radius:5px}
code{padding:1px 5px;overflow-wrap:anywhere}pre{padding:9px 12px;white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0}
dl{display:grid;grid-template-columns:minmax(104px,max-content) 1fr;gap:5px 16px;margin:10px 0}dt{color:var(--muted)}
dd{margin:0;min-width:0;overflow-wrap:anywhere}
dd pre{margin:0}summary{cursor:pointer;color:var(--muted);font-size:13px}details[open]>summary{margin-bottom:4px}
svg{display:block;width:100%;height:auto;margin:4px 0 10px}svg text{font:11px ui-monospace,SFMono-Regular,Menlo,monospace;fill:var(--muted)}
svg .name{fill:var(--on);font-weight:600}svg .free+.name,svg .dark{fill:var(--muted)}svg .mid{text-anchor:middle}svg .end{text-anchor:end}
rect.used,.key .used{fill:var(--used);background:var(--used)}rect.free,.key .free{fill:var(--free);background:var(--free);stroke:var(--edge)}
.key .free{outline:1px solid var(--edge)}rect.reserved,.key .reserved{fill:var(--reserved);background:var(--reserved)}
rect.shared,.key .shared{fill:var(--shared);background:var(--shared)}rect.odd,.key .odd{fill:var(--odd);background:var(--odd)}
rect.second,.key .second{fill:var(--second);background:var(--second)}rect.third,.key .third{fill:var(--third);background:var(--third)}
.grid{stroke:var(--line)}.line{fill:none;stroke:var(--used);stroke-width:2.5;stroke-linejoin:round}
.ahead{fill:none;stroke:var(--odd);stroke-width:2;stroke-dasharray:7 5}.limit{stroke:var(--critical);stroke-width:1.5;stroke-dasharray:2 4}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--muted)}.key span{display:inline-flex;align-items:center;gap:6px}
.key i{min-width:14px;height:14px;border-radius:3px;display:inline-block;font:600 11px/14px ui-monospace,monospace;text-align:center;color:var(--on)}
figure{margin:10px 0 14px}figcaption{font-size:13px;color:var(--muted)}
input{width:100%;padding:10px 13px;border:1px solid var(--muted);border-radius:9px;background:var(--card);color:inherit;font:inherit;margin:0 0 14px}
[hidden]{display:none!important}footer{margin-top:40px}
@media (max-width:640px){main{padding:22px 14px 48px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
@media print{:root{color-scheme:light}body{background:#fff;font-size:12px}main{max-width:none;padding:0}nav,input{display:none}
.panel,tr,svg{break-inside:avoid}.panel:has(tr+tr+tr+tr+tr+tr+tr+tr){break-inside:auto}h2,h3,thead{break-after:avoid}
.scroll{overflow:visible}th button:after{content:""}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""

# without it every table stands in its order, worst first, and everything can still be opened and read
_SCRIPT = """
const all=(q,e=document)=>[...e.querySelectorAll(q)],box=document.getElementById('filter');
const said=document.getElementById('filtered');if(box)box.hidden=false;
if(box)box.addEventListener('input',()=>{const words=box.value.toLowerCase().split(/\\s+/);let n=0;
for(const e of all('[data-f]')){const text=(e.dataset.f+' '+e.textContent).toLowerCase();e.hidden=!words.every(w=>text.includes(w));n+=!e.hidden}
for(const g of all('.group'))g.hidden=!g.querySelector('[data-f]:not([hidden])');
for(const d of all('.group details.rows'))d.open=box.value!=='';
said.textContent=box.value?n+' rows have these words':''});
const order=new Intl.Collator('en',{numeric:true}),value=(r,i)=>{const c=r.cells[i];return c?c.textContent.trim().replace(/,(?=\\d{3})/g,''):''};
for(const t of all('table.sortable'))if(t.tBodies[0].rows.length>1)all('thead th',t).forEach((h,i)=>{const b=document.createElement('button');
b.type='button';b.textContent=h.textContent;h.replaceChildren(b);b.addEventListener('click',()=>{
const down=h.getAttribute('aria-sort')==='ascending';all('thead th',t).forEach(o=>o.removeAttribute('aria-sort'));
h.setAttribute('aria-sort',down?'descending':'ascending');const body=t.tBodies[0];
body.append(...[...body.rows].sort((x,y)=>(down?-1:1)*order.compare(value(x,i),value(y,i))))})});
let shut=[];addEventListener('beforeprint',()=>{shut=all('details:not([open])');for(const d of shut)d.open=true});
addEventListener('afterprint',()=>{for(const d of shut)d.open=false});
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
