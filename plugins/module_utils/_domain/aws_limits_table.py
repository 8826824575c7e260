# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""How many network interfaces an EC2 instance type has on its default card, and how many IPv4 addresses each of them.

Source: the limits that EC2 publishes (DescribeInstanceTypes), as aws/amazon-vpc-cni-k8s lists them in
pkg/vpc/vpc_ip_resource_limit.go at b521883 (20 August 2026). Read by ``aws_limits``.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

# {(interfaces, addresses of each): "size: families; size: families"}
LIMITS: t.Final[Mapping[tuple[int, int], str]] = {
    (1, 50): ("32xlarge: hpc6id"),
    (2, 2): ("micro: t1 t2 t3 t3a t4g; nano: t2 t3 t3a t4g"),
    (2, 4): (
        "2xlarge: g4ad; medium: a1 c6g c6gd c6gn c7a c7g c7gd c7gn c8a c8g c8gb c8gd c8gn is4gen m6g m6gd m7a m7g "
        "m7gd m8a m8g m8gb m8gd m8gn r6g r6gd r7a r7g r7gd r8a r8g r8gb r8gd r8gn x2gd x8g; small: m1 t3a; xlarge: "
        "g4ad"
    ),
    (2, 6): ("medium: c1 m1 m3"),
    (2, 10): ("large: g6f m4"),
    (2, 15): ("3xlarge: trn2"),
    (2, 20): ("medium: c9g c9gd m9g m9gd"),
    (2, 50): ("12xlarge: hpc7a; 24xlarge: hpc7a; 48xlarge: hpc6a hpc7a p5 p5e trn2; 96xlarge: hpc7a hpc8a"),
    (3, 4): ("medium: m8azn; small: t2 t3 t4g"),
    (3, 6): ("medium: t2 t3 t3a t4g"),
    (3, 10): (
        "2xlarge: g4dn; 4xlarge: g4ad g4dn; large: a1 c3 c4 c5 c5a c5ad c5d c5n c6a c6g c6gd c6gn c6i c6id c6in c7a "
        "c7g c7gd c7gn c7i c7i-flex c8g c8gb c8gd c8gn i3 i3en i4g i4i i7i i7ie i8g i8ge im4gn is4gen m1 m3 m5 m5a "
        "m5ad m5d m5dn m5n m5zn m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex m8g m8gb m8gd m8gn r3 r4 "
        "r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz r8g r8gb r8gd r8gn x2gd "
        "x8g z1d; xlarge: g4dn x1e"
    ),
    (3, 12): ("large: t2 t3 t3a t4g"),
    (3, 15): ("2xlarge: t2; xlarge: t2"),
    (3, 20): (
        "8xlarge: d3; large: c8a c8i c8i-flex c8id c9g c9gd m8a m8i m8i-flex m8id m9g m9gd r8a r8i r8i-flex r8id x8i"
    ),
    (3, 30): ("12xlarge: d3en"),
    (4, 3): ("xlarge: d3 d3en"),
    (4, 5): ("2xlarge: d3 d3en"),
    (4, 10): ("2xlarge: inf1; 4xlarge: d3 d3en; xlarge: inf1"),
    (4, 15): (
        "16xlarge: g4dn; 2xlarge: a1 c3 c4 c5 c5a c5ad c5d c5n c6a c6g c6gd c6gn c6i c6id c6in c7a c7g c7gd c7gn c7i "
        "c7i-flex c8g c8gb c8gd c8gn d2 f1 g5 g5g g6 g6e g6f h1 i2 i3 i3en i4g i4i i7i i7ie i8g i8ge im4gn is4gen m4 "
        "m5 m5a m5ad m5d m5dn m5n m5zn m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex m8g m8gb m8gd m8gn "
        "p3 r3 r4 r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz r8g r8gb r8gd "
        "r8gn t3 t3a t4g trn1 x1e x2gd x2iedn x2iezn x8g z1d; 3xlarge: i3en i7ie vt1; 4xlarge: x1e; 6xlarge: d3en; "
        "8xlarge: g4ad g4dn x1e; xlarge: a1 c1 c3 c4 c5 c5a c5ad c5d c5n c6a c6g c6gd c6gn c6i c6id c6in c7a c7g c7gd "
        "c7gn c7i c7i-flex c8g c8gb c8gd c8gn d2 g5 g5g g6 g6e g6f i2 i3 i3en i4g i4i i7i i7ie i8g i8ge im4gn inf2 "
        "is4gen m1 m2 m3 m4 m5 m5a m5ad m5d m5dn m5n m5zn m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex "
        "m8g m8gb m8gd m8gn r3 r4 r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz "
        "r8g r8gb r8gd r8gn t3 t3a t4g x2gd x2iedn x8g z1d"
    ),
    (4, 20): (
        "8xlarge: d3en; large: c8ib c8in c8ine m8azn m8ib m8idb m8idn m8in m8ine r8ib r8idb r8idn r8in x8aedz; "
        "xlarge: c8a m8a m8azn r8a x8aedz"
    ),
    (4, 30): (
        "2xlarge: c8i c8i-flex c8ib c8id c8in c8ine c9g c9gd m2 m3 m8i m8i-flex m8ib m8id m8idb m8idn m8in m8ine m9g "
        "m9gd r8i r8i-flex r8ib r8id r8idb r8idn r8in x8i; 4xlarge: p5; xlarge: c8i c8i-flex c8ib c8id c8in c8ine c9g "
        "c9gd m8i m8i-flex m8ib m8id m8idb m8idn m8in m8ine m9g m9gd r8i r8i-flex r8ib r8id r8idb r8idn r8in x8i"
    ),
    (4, 40): ("2xlarge: c8a m8a r8a"),
    (4, 50): ("16xlarge: hpc7g; 48xlarge: p5en p6-b200 p6-b300; 4xlarge: hpc7g; 8xlarge: hpc7g"),
    (4, 64): ("2xlarge: g7 g7e"),
    (5, 30): ("metal: u-12tb1 u-6tb1 u-9tb1"),
    (5, 50): ("32xlarge: trn1 trn1n"),
    (6, 30): ("3xlarge: i8ge"),
    (7, 50): ("48xlarge: g5"),
    (8, 30): (
        "10xlarge: m4; 12xlarge: c5 c5a c5ad c5d c6a c6g c6gd c6gn c6i c6id c6in c7a c7g c7gd c7gn c7i c7i-flex c8g "
        "c8gd f2 g4dn g6 i3en i4i i7i i8g m5 m5a m5ad m5d m5dn m5n m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i "
        "m7i-flex m8g m8gd r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz r8g "
        "r8gd x2gd x8g; 16xlarge: g4ad g5 m4 p3 x1 x1e; 32xlarge: x1 x1e; 3xlarge: m5zn z1d; 4xlarge: a1 c3 c4 c5 c5a "
        "c5ad c5d c5n c6a c6g c6gd c6gn c6i c6id c6in c7a c7g c7gd c7gn c7i c7i-flex c8g c8gb c8gd c8gn d2 f1 g5 g5g "
        "g6 g6e g6f gr6 gr6f h1 i2 i3 i4g i4i i7i i8g im4gn is4gen m2 m4 m5 m5a m5ad m5d m5dn m5n m6a m6g m6gd m6i "
        "m6id m6idn m6in m7a m7g m7gd m7i m7i-flex m8g m8gb m8gd m8gn r3 r4 r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd "
        "r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz r8g r8gb r8gd r8gn x2gd x2iedn x2iezn x8g; 56xlarge: u-3tb1; "
        "6xlarge: f2 i3en i7ie inf1 m5zn vt1 x2iezn z1d; 8xlarge: c3 c4 c5a c5ad c6a c6g c6gd c6gn c6i c6id c6in c7a "
        "c7g c7gd c7gn c7i c7i-flex c8g c8gd cr1 d2 g5 g5g g6 g6e gr6 h1 hs1 i2 i3 i4g i4i i7i i8g im4gn inf2 is4gen "
        "m5 m5a m5ad m5d m5dn m5n m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex m8g m8gd p3 r3 r4 r5 r5a "
        "r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz r8g r8gd x2gd x2iedn x2iezn "
        "x8g; 9xlarge: c5 c5d c5n; metal: a1 mac-m3ultra mac-m4 mac-m4max mac-m4pro mac1 mac2 mac2-m1ultra mac2-m2 "
        "mac2-m2pro"
    ),
    (8, 40): ("3xlarge: m8azn x8aedz; 4xlarge: c8a m8a r8a; 6xlarge: m8azn x8aedz"),
    (8, 50): (
        "12xlarge: i7ie; 16xlarge: f1 h1; 224xlarge: u7in-16tb u7in-24tb u7in-32tb; 32xlarge: c6in m6idn m6in r6idn "
        "r6in; 4xlarge: c8i c8i-flex c8ib c8id c8in c8ine c9g c9gd m8i m8i-flex m8ib m8id m8idb m8idn m8in m8ine m9g "
        "m9gd r8i r8i-flex r8ib r8id r8idb r8idn r8in x8i; 8xlarge: c8ib c8in c8ine m8ib m8idb m8idn m8in m8ine r8ib "
        "r8idb r8idn r8in; metal: c6in m6idn m6in r6idn r6in"
    ),
    (8, 64): ("4xlarge: g7 g7e; 8xlarge: g7e"),
    (10, 30): ("12xlarge: g6e; 6xlarge: i8ge; 8xlarge: c8gb c8gn m8gb m8gn r8gb r8gn"),
    (10, 40): ("8xlarge: c8a m8a r8a"),
    (10, 50): (
        "24xlarge: g6e; 48xlarge: g6e; 8xlarge: c8i c8i-flex c8id c9g c9gd m8i m8i-flex m8id m9g m9gd r8i r8i-flex "
        "r8id x8i"
    ),
    (10, 64): ("12xlarge: g7e; 24xlarge: g7e; 48xlarge: g7e; 8xlarge: g7"),
    (11, 30): ("24xlarge: inf1"),
    (12, 30): ("12xlarge: c8gb c8gn i8ge m8gb m8gn r8gb r8gn"),
    (12, 50): (
        "12xlarge: c8i c8i-flex c8ib c8id c8in c8ine c9g c9gd m8i m8i-flex m8ib m8id m8idb m8idn m8in m8ine m9g m9gd "
        "r8i r8i-flex r8ib r8id r8idb r8idn r8in x8i; 48xlarge: c8gb c8gn m8gb m8gn r8gb r8gn; metal-48xl: c8gb c8gn "
        "m8gb m8gn r8gb r8gn"
    ),
    (12, 64): (
        "12xlarge: c8a g7 m8a r8a; 48xlarge: g7; 96xlarge: c8ib c8in m8ib m8idb m8idn m8in r8ib r8idb r8idn r8in; "
        "metal-96xl: c8ib c8in m8ib m8idb m8idn m8in r8ib r8idb r8idn r8in"
    ),
    (15, 30): ("24xlarge: i4i"),
    (15, 50): (
        "112xlarge: u-6tb1 u7i-6tb u7i-8tb; 12xlarge: g5 m5zn x2iezn z1d; 16xlarge: c5a c5ad c6a c6g c6gd c6gn c6i "
        "c6id c6in c7a c7g c7gd c7gn c7i c7i-flex c8g c8gd g5g g6 g6e i3 i4g i4i i7i i8g im4gn m5 m5a m5ad m5d m5dn "
        "m5n m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex m8g m8gd r4 r5 r5a r5ad r5b r5d r5dn r5n r6a "
        "r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz r8g r8gd x2gd x2idn x2iedn x8g; 18xlarge: c5 c5d c5n "
        "i7ie; 224xlarge: u7i-12tb; 24xlarge: c5 c5a c5ad c5d c6a c6i c6id c6in c7a c7i c8g c8gd dl1 dl2q g5 g6 i3en "
        "i7i i7ie i8g inf2 m5 m5a m5ad m5d m5dn m5n m6a m6i m6id m6idn m6in m7a m7i m8g m8gd p3dn p4d p4de r5 r5a "
        "r5ad r5b r5d r5dn r5n r6a r6i r6id r6idn r6in r7a r7i r8g r8gd vt1 x2idn x2iedn x8g; 32xlarge: c6a c6i c6id "
        "c7a c7i i4i m6a m6i m6id m7a r6a r6i r6id r7a r7iz x2idn x2iedn; 48xlarge: c6a c7a c7i c8g c8gd f2 g6 i7i "
        "i7ie i8g inf2 m6a m7a m7i m8g m8gd r6a r7a r7i r8g r8gd x8g; 56xlarge: u-6tb1; metal: bmn-sf1 c5 c5a c5ad "
        "c5d c5n c6a c6g c6gd c6i c6id c7g c7gd c7gn g4dn g5g i3en i4i m5 m5d m5dn m5n m5zn m6a m6g m6gd m6i m6id m7g "
        "m7gd r5 r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r7g r7gd u-18tb1 u-24tb1 x2gd x2idn x2iedn x2iezn z1d; "
        "metal-16xl: r7iz; metal-24xl: c7i c8g c8gd i7i i7ie i8g m7i m8g m8gd r7i r8g r8gd x8g; metal-32xl: r7iz; "
        "metal-48xl: c7a c7i c8g c8gd i7i i7ie i8g m7a m7i m8g m8gd r7a r7i r8g r8gd x8g"
    ),
    (16, 50): ("16xlarge: c8gb c8gn m8gb m8gn r8gb r8gn; 18xlarge: i8ge; 24xlarge: i8ge; metal-24xl: i8ge"),
    (16, 64): (
        "12xlarge: m8azn x8aedz; 16xlarge: c8a c8i c8i-flex c8ib c8id c8in c9g c9gd m8a m8i m8i-flex m8ib m8id m8idb "
        "m8idn m8in m9g m9gd r8a r8i r8i-flex r8ib r8id r8idb r8idn r8in x8i; 24xlarge: c8a c8i c8ib c8id c8in m8a "
        "m8azn m8i m8ib m8id m8idb m8idn m8in r8a r8i r8ib r8id r8idb r8idn r8in x8aedz x8i; 32xlarge: c8ib c8in m8ib "
        "m8idb m8idn m8in r8ib r8idb r8idn r8in; metal-12xl: m8azn x8aedz; metal-24xl: c8a m8a m8azn r8a x8aedz"
    ),
    (24, 50): (
        "24xlarge: c8gb c8gn m8gb m8gn r8gb r8gn; 48xlarge: i8ge; metal-24xl: c8gb c8gn m8gb m8gn r8gb r8gn; "
        "metal-48xl: i8ge"
    ),
    (24, 64): (
        "24xlarge: c9g c9gd g7 m9g m9gd; 32xlarge: c8i c8id m8i m8id r8i r8id x8i; 48xlarge: c8a c8i c8ib c8id c8in "
        "c9g c9gd m8a m8i m8ib m8id m8idb m8idn m8in m9g m9gd r8a r8i r8ib r8id r8idb r8idn r8in x8i; 64xlarge: x8i; "
        "96xlarge: c8i c8id m8i m8id r8i r8id x8i; metal-48xl: c8a c8i c8ib c8id c8in c9g c9gd m8a m8i m8ib m8id "
        "m8idb m8idn m8in m9g m9gd r8a r8i r8ib r8id r8idb r8idn r8in x8i; metal-96xl: c8i c8id m8i m8id r8i r8id x8i"
    ),
}
